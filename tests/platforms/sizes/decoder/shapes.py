"""Models of both families, small enough for any test."""

LLAMA = "random:norm=rms,positions=rotary,activation=silu,gated=1,vocab_size=40,d_model=24,"
LLAMA += "n_heads=6,n_kv_heads=2,n_layers=2,d_ff=44,ctx_len=20"
GPT2 = "random:norm=layer,norm_bias=1,positions=learned,activation=gelu,bias=1,vocab_size=70,"
GPT2 += "d_model=40,n_heads=2,n_layers=1,d_ff=100,ctx_len=300"
FOUR_BITS = "random:norm=rms,positions=rotary,activation=silu,gated=1,vocab_size=33,d_model=32,"
FOUR_BITS += "n_heads=4,n_kv_heads=4,n_layers=3,d_ff=64,ctx_len=16,weights=int4,tied_head=0"
TRITS = "random:norm=layer,activation=relu,d_model=16,n_heads=1,d_ff=30,ctx_len=9,weights=trits:3"
SHAPES = (LLAMA, GPT2, FOUR_BITS, TRITS)
HUGE = "random:positions=rotary,gated=1,vocab_size=4000,d_model=256,n_heads=4,d_ff=600,ctx_len=99"

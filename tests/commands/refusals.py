"""Commands that are refused before their work, and what they say; with a colon at its end only the
beginning of that."""

from gateformer.platforms.boards.board import boards
from tests.support.every_command import TINY
from tests.support.user_error import no_integer

OTHER = "random:n_layers=1,d_model=16,n_heads=2,d_ff=32,ctx_len=8,vocab_size=17"
DECODER = "random:positions=rotary,gated=1,n_layers=1,d_model=16,n_heads=2,d_ff=32,ctx_len=8"
"""A model as imported ones are."""
TEXT = ("--corpus", "text")
OUT = ("--out", "out.safetensors")
SYNTHESIZED = ", ".join(name for name, known in boards().items() if known.budget is not None)
"""The boards that a command takes which needs a device."""
NOT_SYNTHESIZED = f"sim is not synthesized; name one of {SYNTHESIZED}"
LOADED = (
    "sim: the accelerator has vocab_size 16, the model 17; only a model of the same shape can be "
    "loaded: build one for this model"
)
REFUSED = [
    (
        ("build.py", "sim", "--model", TINY, "--waveform", "."),
        "--waveform . is a directory; name the file to write in it",
    ),
    (
        ("build.py", "sim", "--model", TINY, "--waveform", "none/w.vcd"),
        "--waveform none/w.vcd: there is no directory none",
    ),
    (
        ("build.py", "zybo", "--fits"),
        "--fits is for --list; give both, or leave --fits out",
    ),
    *(
        (
            ("build.py", option, *value),
            f"{option} is for {needed}; give both, or leave {option} out",
        )
        for option, *value, needed in (
            ("--fits", "--list"),
            ("--cycles", "0:9", "--waveform"),
            ("--position", "0", "--timeline"),
        )
    ),
    (
        ("build.py", "sim", "--out", ""),
        "argument --out: expected a path, not an empty text; see --help",
    ),
    (
        ("build.py", "sim", "--model", TINY, "--temperature", "inf"),
        "temperature must be a finite number of at least 0 (0: greedy), not inf",
    ),
    (
        ("compression-report", "--results", "nope"),
        "--results nope: there is no such directory; name one that gateformer compress --results "
        "wrote",
    ),
    (
        ("compression-report",),
        "--results docs/compression: there is no such directory; name one that gateformer compress "
        "--results wrote",
    ),
    (
        ("bench", TINY, "--board", "zybo", "nosuch"),
        "unknown board 'nosuch'; known: ",
    ),
    (
        (
            "bench-models",
            "shakespeare-115k",
            "--svg",
            "a.svg",
            "--board",
            "nosuch",
        ),
        "unknown board 'nosuch'; known: ",
    ),
    *(
        ((command, *options, "nosuch"), f"unknown board 'nosuch'; known: {SYNTHESIZED}")
        for command, *options in (
            ("board-table", "--build", "zybo"),
            ("board-paths",),
            ("fit", TINY, "--board"),
            ("openxc7-rules", "netlist.json", "--board"),
        )
    ),
    *(
        (
            ("board-table", "--build", "zybo", name),
            NOT_SYNTHESIZED,
        )
        for name in ("sim", "sim:")
    ),
    *(
        (command, "zybo has no variants; leave :9 out")
        for command in (
            ("board-table", "--build", "zybo:9"),
            ("cycles", "--board", "zybo:9"),
            ("bench", TINY, "--board", "zybo:9"),
        )
    ),
    (
        (
            "console",
            "sim",
            "--reload",
            "--model",
            TINY,
            "--load",
            OTHER,
        ),
        LOADED,
    ),
    (
        (
            "console",
            "firmware",
            "--reload",
            "--model",
            TINY,
            "--load",
            OTHER,
        ),
        LOADED.replace("sim", "firmware"),
    ),
    (
        ("console", "sim", "--model", TINY, "--load", TINY),
        "sim: the accelerator's model is fixed; start it with: gateformer console sim --reload",
    ),
    *(
        (("accelerator", *options), said)
        for *options, said in (
            (
                *("--prompt", "x", "--system", "y"),
                "--system is for --chat; give both, or leave --system out",
            ),
            ("--weights", "text", "text is no image of a model's weights; build one: weights.bin"),
            (
                *("--weights", "nosuch", "--memory", "0x1000:0x1000"),
                "nosuch can't be read: No such file or directory",
            ),
            (
                "--device",
                "text",
                "--device text is an ordinary file; name a UIO device, /dev/uioN, or /dev/mem",
            ),
            ("--load", "nosuch", "no model 'nosuch': "),
            ("--model", "nosuch", "no model 'nosuch': "),
            (
                *("--prompt", "x", "--temperature", "warm"),
                "temperature must be a finite number of at least 0 (0: greedy), not warm",
            ),
            (
                *("--prompt", "x", "--chat", "--model", TINY),
                "the model has no chat template; give a plain text instead",
            ),
            (
                *("--prompt", "A", "--top-k", "17", "--model", TINY),
                "top-k must be 0 (off) to 16 (the vocabulary), not 17",
            ),
        )
    ),
    (("evaluate", TINY, "--corpus", "empty"), "corpus empty is empty; give a UTF-8 text file"),
    (("build.py", "sim", "--model", "random:"), "random: has no setting; write one, as random:"),
    (("fit", TINY, "--jobs", "0"), no_integer("--jobs", "from 1 to 1024", 0)),
    (
        ("fit", TINY, "--jobs", "2"),
        "--jobs goes with --verify or --calibrate, which synthesize",
    ),
    (
        ("fit", TINY, "--scheduler", "a:1"),
        "--scheduler goes with --verify or --calibrate, which synthesize",
    ),
    (
        ("fit", "--calibrate", "--board", "zybo"),
        "--calibrate does not heed --board; leave one of them out",
    ),
    (
        ("fit", TINY, "--calibrate"),
        f"--calibrate does not heed {TINY}; leave one of them out",
    ),
    (
        ("fit", "--board", "zybo", "--verify", "--json", "a.json"),
        "--verify does not heed --json; leave one of them out",
    ),
    (
        ("fit", "--no-picture"),
        "--no-picture needs --board; of all boards there is no picture",
    ),
    (
        ("fit", TINY, "--json", "."),
        "--json . is a directory; name the file to write in it",
    ),
    *(
        (
            (command, DECODER, *options),
            f"{DECODER} is of number contract version 2 (imported, or trained in another "
            "architecture), and this is for models of version 1 only; for yours there is "
            "gateformer bench-decoder",
        )
        for command, *options in (("bench",), ("bench-models", "--svg", "a.svg"))
    ),
    *(
        (
            ("check-netlist", DECODER, "--lanes", "4", f"--{name}", value),
            f"--{name} {value}: the core of an imported model has --lanes alone; leave --{name} "
            "out",
        )
        for name, value in (("rows", "1"), ("cols", "4"), ("packing", "3in5"))
    ),
    (
        ("check-netlist", TINY, "--family", "ice40"),
        "family must be one of xc7, openxc7, xcup, ecp5, not 'ice40'",
    ),
    *(
        (
            (
                "train",
                *TEXT,
                *OUT,
                "--init",
                "shakespeare-115k",
                option,
                "1",
            ),
            f"{option} is for float training, of which there is none with --init; leave one of "
            "them out",
        )
        for option in ("--float-steps", "--float-lr")
    ),
    (
        (
            "compress",
            "qat",
            "shakespeare-115k",
            *TEXT,
            "--temperature",
            "2",
        ),
        "--temperature is for --teacher; give both, or leave --temperature out",
    ),
    (
        (
            "compress",
            "qat",
            "shakespeare-115k",
            *TEXT,
            "--teacher-weight",
            "0.5",
        ),
        "--teacher-weight is for --teacher; give both, or leave --teacher-weight out",
    ),
    (
        (
            "compress",
            "ptq",
            "a",
            "--observer",
            "max",
            "--percentile",
            "99",
        ),
        "--percentile is for --observer percentile, not max; leave one of them out",
    ),
    (
        ("compress", "ptq", "a", *TEXT, "--name", "../x"),
        "--name must be the name of a file without its suffix, not '../x'",
    ),
]

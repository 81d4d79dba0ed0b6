@ Entry of the firmware: vectors, stack, BSS, then main().
@
@ Entered in any privileged mode on one core, with memory and clocks set up by the boot code
@ (docs/zynq.md). The MMU and the data cache go off, so that every load and store of a register is
@ one, and what the cache had goes to memory; the instruction cache needs no MMU and is on.
@
@ Source: ARM DDI 0406, "ARM Architecture Reference Manual ARMv7-A", B1 and B4.

	.syntax unified
	.arm

	.equ SVC_MODE, 0x13
	.equ SCTLR_C, 1 << 2
	.equ SCTLR_OFF, (1 << 0) | SCTLR_C | (1 << 13) | (1 << 30)	@ M, C, V, TE
	.equ SCTLR_ON, (1 << 11) | (1 << 12)				@ Z, I

	.section .vectors, "ax"
	.balign 32
	.global vectors
vectors:
	b	_start
	b	undefined
	b	supervisor_call
	b	prefetch_abort
	b	data_abort
	b	.
	b	interrupt
	b	interrupt

	.text
	.balign 4
	.global _start
_start:
	cpsid	aif, #SVC_MODE
	mrc	p15, 0, r0, c0, c0, 5	@ MPIDR
	ands	r0, r0, #3
	bne	park
	mrc	p15, 0, r0, c1, c0, 0	@ SCTLR
	ldr	r1, =SCTLR_OFF
	mov	r2, r0
	bic	r0, r0, r1
	mcr	p15, 0, r0, c1, c0, 0
	isb
	tst	r2, #SCTLR_C
	beq	cleaned
	mov	r1, #0
	mcr	p15, 2, r1, c0, c0, 0	@ CSSELR: the data cache of level 1
	isb
	mrc	p15, 1, r1, c0, c0, 0	@ CCSIDR
	and	r2, r1, #7
	add	r2, r2, #4		@ log2 of a line's bytes
	ubfx	r3, r1, #3, #10		@ last way
	ubfx	r4, r1, #13, #15	@ last set
	clz	r5, r3			@ the way's place in the operand
set:	mov	r6, r3
way:	lsl	r7, r6, r5
	orr	r7, r7, r4, lsl r2
	mcr	p15, 0, r7, c7, c14, 2	@ DCCISW
	subs	r6, r6, #1
	bpl	way
	subs	r4, r4, #1
	bpl	set
cleaned:
	dsb
	mov	r1, #0
	mcr	p15, 0, r1, c8, c7, 0	@ TLBIALL
	mcr	p15, 0, r1, c7, c5, 0	@ ICIALLU
	mcr	p15, 0, r1, c7, c5, 6	@ BPIALL
	dsb
	isb
	ldr	r1, =SCTLR_ON
	orr	r0, r0, r1
	mcr	p15, 0, r0, c1, c0, 0
	ldr	r1, =vectors
	mcr	p15, 0, r1, c12, c0, 0	@ VBAR
	isb
	ldr	sp, =stack_top
	ldr	r0, =bss_begin
	ldr	r1, =bss_end
	mov	r2, #0
1:	cmp	r0, r1
	strlo	r2, [r0], #4
	blo	1b
	bl	main
park:
	wfe
	b	park

@ An exception: the stack is forgotten, and console_fault(kind, address) goes on; it never returns.
undefined:
	sub	r1, lr, #4
	mov	r0, #0
	b	fault
supervisor_call:
	sub	r1, lr, #4
	mov	r0, #1
	b	fault
prefetch_abort:
	sub	r1, lr, #4
	mov	r0, #2
	b	fault
data_abort:
	sub	r1, lr, #8
	mov	r0, #3
	b	fault
interrupt:
	sub	r1, lr, #4
	mov	r0, #4
fault:
	cpsid	aif, #SVC_MODE
	ldr	sp, =stack_top
	bl	console_fault
	b	park

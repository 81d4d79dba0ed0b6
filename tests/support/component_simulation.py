"""Amaranth's simulator with one clock, for a component and its testbenches."""

from amaranth.sim import Simulator


def simulate(component, *testbenches, background=()):
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    for testbench in background:
        simulator.add_testbench(testbench, background=True)
    simulator.run()

"""CXXRTL's class in pieces that compilers handle in linear time."""

from gateformer.platforms.simulation import cxxrtl_split

HEADER = """\
namespace cxxrtl_design {

// \\top: 1
struct p_top : public module {
	value<1> p_n1;
	// \\init: 1
	wire<3> p_n2 {0x5u};
	/*input*/ value<8> p_in;
	memory<8> memory_p_table { 4u };
	void eval_0();
	p_top(interior) {}
};

}
"""
CHAINED = """\
namespace cxxrtl_design {

// \\top: 1
struct members_0 : public module {
	value<1> p_n1;
	wire<3> p_n2 {0x5u};
	/*input*/ value<8> p_in;
};
struct members_3 : public members_0 {
	memory<8> memory_p_table { 4u };
};
struct p_top : public members_3 {
	// \\init: 1
	void eval_0();
	p_top(interior) {}
};

}
"""


def test_members_go_to_a_chain_of_base_classes(monkeypatch):
    monkeypatch.setattr(cxxrtl_split, "MEMBERS", 3)
    assert cxxrtl_split.chain(HEADER) == CHAINED


def test_a_class_without_members_stays():
    header = "struct p_top : public module {\n\tvoid eval_0();\n};\n"
    assert cxxrtl_split.chain(header) == header

// What every compiled simulation offers to Python: ports by index, and the loop around the design.
//
// Generated beside it: design.h (CXXRTL's output) and ports.h with
//   DESIGN_INPUTS(X), DESIGN_OUTPUTS(X)  lists of port members, inputs first in port numbering;
//   DESIGN_HAS_CLOCK                     1 if registers use p_clk;
//   DESIGN_SETTLES                       1 if one evaluation settles all signals;
//   DESIGN_WAVEFORM                      1 if compiled with names for a waveform.

#include "design.h"
#include "ports.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <fstream>
#include <memory>
#include <vector>

#if DESIGN_WAVEFORM
#include <cxxrtl/cxxrtl_vcd.h>
#endif

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using Chunk = uint32_t;

struct Port {
	Chunk *data;
	size_t chunks;
};

template<size_t Bits>
Port input(cxxrtl::value<Bits> &value) {
	return {value.data, value.chunks};
}

template<size_t Bits>
Port output(cxxrtl::value<Bits> &value) {
	return {value.data, value.chunks};
}

template<size_t Bits>
Port output(cxxrtl::wire<Bits> &wire) {
	return {wire.curr.data, wire.curr.chunks};
}

// A stall pattern: each cycle stalls with probability rate/256. xorshift32 (Marsaglia 2003).
struct Stalls {
	uint32_t rate, state;

	bool next() {
		if (rate == 0)
			return false;
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		return (state >> 24) < rate;
	}
};

// Feeds items into a stream; valid, once high, stays until the item is taken.
struct Source {
	Port valid, ready, payload;
	Stalls stalls;
	std::vector<Chunk> items;
	size_t position = 0;
	bool offered = false;
	std::vector<uint64_t> taken;

	void drive() {
		if (!offered)
			offered = position < items.size() && !stalls.next();
		valid.data[0] = offered;
		if (offered)
			memcpy(payload.data, &items[position], payload.chunks * sizeof(Chunk));
	}

	void observe(uint64_t cycle) {
		if (!offered || !ready.data[0])
			return;
		position += payload.chunks;
		offered = false;
		taken.push_back(cycle);
	}
};

// Records ports in each cycle in which valid is high. With a ready port it is a stream's sink,
// records transfers only, and checks that the stream holds its payload until it is taken.
struct Recorder {
	Port valid, ready;
	bool is_sink;
	Stalls stalls;
	std::vector<Port> ports;
	size_t row_chunks = 2;
	std::vector<Chunk> rows;
	std::vector<Chunk> held;
	bool holding = false;
	int64_t violation = -1;

	size_t count() const { return rows.size() / row_chunks; }

	void drive() {
		if (is_sink)
			ready.data[0] = !stalls.next();
	}

	void observe(uint64_t cycle) {
		bool offered = valid.data[0];
		if (is_sink && holding && violation < 0 && (!offered || changed()))
			violation = int64_t(cycle);
		holding = is_sink && offered && !ready.data[0];
		if (holding)
			copy(held);
		if (offered && !holding) {
			rows.push_back(Chunk(cycle));
			rows.push_back(Chunk(cycle >> 32));
			append(rows);
		}
	}

	void append(std::vector<Chunk> &to) const {
		for (const Port &port : ports)
			to.insert(to.end(), port.data, port.data + port.chunks);
	}

	void copy(std::vector<Chunk> &to) const {
		to.clear();
		append(to);
	}

	bool changed() const {
		std::vector<Chunk> now;
		append(now);
		return now != held;
	}
};

#include "cxxrtl_memory.h"

struct Simulation {
	cxxrtl_design::p_top top;
	std::vector<Port> ports;
	std::vector<std::unique_ptr<Source>> sources;
	std::vector<std::unique_ptr<Recorder>> recorders;
	std::vector<std::unique_ptr<Memory>> memories;
	uint64_t cycles = 0;
	bool outputs_valid = false;
#if DESIGN_WAVEFORM
	cxxrtl::debug_items items;
	cxxrtl::vcd_writer vcd;
	std::ofstream file;
	int file_error = 0; // errno of the first write that failed
	uint64_t first_cycle = 0, last_cycle = 0;
#endif

	Simulation() {
#define ADD(name) ports.push_back(input(top.name));
		DESIGN_INPUTS(ADD)
#undef ADD
#define ADD(name) ports.push_back(output(top.name));
		DESIGN_OUTPUTS(ADD)
#undef ADD
	}

	void set_clock(bool before, bool now) {
#if DESIGN_HAS_CLOCK
		top.prev_p_clk.set(before);
		top.p_clk.set(now);
#endif
	}

	// Combinational signals follow inputs and registers; no clock edge.
	void settle() {
		set_clock(true, true);
		top.eval();
#if !DESIGN_SETTLES
		while (top.commit())
			top.eval();
#endif
		outputs_valid = true;
	}

	// One evaluation with a rising edge computes both this cycle's combinational signals and the
	// registers' next values, which advance() then makes current.
	void cycle() {
		for (auto &source : sources)
			source->drive();
		for (auto &recorder : recorders)
			recorder->drive();
		for (auto &memory : memories)
			memory->drive(cycles);
#if !DESIGN_SETTLES
		settle();
#endif
		set_clock(false, true);
		top.eval();
		for (auto &source : sources)
			source->observe(cycles);
		for (auto &recorder : recorders)
			recorder->observe(cycles);
		for (auto &memory : memories)
			memory->observe(cycles);
		sample();
		top.advance();
		cycles++;
		outputs_valid = false;
	}

	void sample() {
#if DESIGN_WAVEFORM
		if (!file.is_open() || cycles < first_cycle || cycles > last_cycle)
			return;
		vcd.sample(2 * cycles);
		set_clock(true, false);
		vcd.sample(2 * cycles + 1);
		file << vcd.buffer;
		vcd.buffer.clear();
		if (cycles == last_cycle)
			close();
		note_error();
#endif
	}

#if DESIGN_WAVEFORM
	void close() {
		if (file.is_open())
			file.close();
		note_error();
	}

	void note_error() {
		if (!file && !file_error)
			file_error = errno ? errno : EIO;
	}
#endif
};

} // namespace

EXPORT Simulation *simulation_create() {
	return new Simulation();
}

EXPORT void simulation_destroy(Simulation *simulation) {
	delete simulation;
}

EXPORT uint64_t simulation_cycles(const Simulation *simulation) {
	return simulation->cycles;
}

EXPORT void simulation_set(Simulation *simulation, uint32_t port, const Chunk *chunks) {
	const Port &to = simulation->ports[port];
	memcpy(to.data, chunks, to.chunks * sizeof(Chunk));
	simulation->outputs_valid = false;
}

EXPORT void simulation_get(Simulation *simulation, uint32_t port, Chunk *chunks) {
	if (!simulation->outputs_valid)
		simulation->settle();
	const Port &from = simulation->ports[port];
	memcpy(chunks, from.data, from.chunks * sizeof(Chunk));
}

// Runs until recorder number `until` (none if negative) has `count` rows, at most `limit` cycles.
EXPORT void simulation_run(Simulation *simulation, uint64_t limit, int32_t until, uint64_t count) {
	Recorder *recorder = until < 0 ? nullptr : simulation->recorders[until].get();
	for (uint64_t i = 0; i < limit; i++) {
		if (recorder && recorder->count() >= count)
			return;
		simulation->cycle();
	}
}

EXPORT uint32_t simulation_add_source(
	Simulation *simulation, uint32_t valid, uint32_t ready, uint32_t payload, uint32_t stall_rate,
	uint32_t seed)
{
	auto source = std::make_unique<Source>();
	source->valid = simulation->ports[valid];
	source->ready = simulation->ports[ready];
	source->payload = simulation->ports[payload];
	source->stalls = {stall_rate, seed};
	simulation->sources.push_back(std::move(source));
	return simulation->sources.size() - 1;
}

EXPORT void simulation_feed(
	Simulation *simulation, uint32_t source, const Chunk *chunks, uint64_t size)
{
	auto &items = simulation->sources[source]->items;
	items.insert(items.end(), chunks, chunks + size);
}

EXPORT const uint64_t *simulation_taken(Simulation *simulation, uint32_t source, uint64_t *count) {
	const auto &taken = simulation->sources[source]->taken;
	*count = taken.size();
	return taken.data();
}

// A recorder of `count` ports; `ready` is negative for one that only watches.
EXPORT uint32_t simulation_add_recorder(
	Simulation *simulation, uint32_t valid, int32_t ready, const uint32_t *ports, uint32_t count,
	uint32_t stall_rate, uint32_t seed)
{
	auto recorder = std::make_unique<Recorder>();
	recorder->valid = simulation->ports[valid];
	recorder->is_sink = ready >= 0;
	if (recorder->is_sink)
		recorder->ready = simulation->ports[ready];
	recorder->stalls = {stall_rate, seed};
	for (uint32_t i = 0; i < count; i++) {
		recorder->ports.push_back(simulation->ports[ports[i]]);
		recorder->row_chunks += recorder->ports.back().chunks;
	}
	simulation->recorders.push_back(std::move(recorder));
	return simulation->recorders.size() - 1;
}

EXPORT const Chunk *simulation_rows(Simulation *simulation, uint32_t recorder, uint64_t *count) {
	const Recorder &from = *simulation->recorders[recorder];
	*count = from.count();
	return from.rows.data();
}

EXPORT void simulation_clear(Simulation *simulation, uint32_t recorder) {
	simulation->recorders[recorder]->rows.clear();
}

EXPORT int64_t simulation_violation(Simulation *simulation, uint32_t recorder) {
	return simulation->recorders[recorder]->violation;
}

// A memory of `size` bytes from address `base` on; its ports are added to it.
EXPORT uint32_t simulation_add_memory(
	Simulation *simulation, const MemoryTiming *timing, uint64_t base, uint64_t size,
	uint32_t beat_bytes)
{
	simulation->memories.push_back(std::make_unique<Memory>(*timing, base, size, beat_bytes));
	return simulation->memories.size() - 1;
}

EXPORT void simulation_add_read_port(Simulation *simulation, uint32_t memory, const uint32_t *ports) {
	Memory &to = *simulation->memories[memory];
	auto port = std::make_unique<Memory::ReadPort>();
	for (Port *member : {&port->addr, &port->len, &port->size, &port->burst, &port->valid,
	                     &port->ready, &port->rdata, &port->rresp, &port->rlast, &port->rvalid,
	                     &port->rready})
		*member = simulation->ports[*ports++];
	port->bandwidth.rate = to.timing.port_rate;
	port->bandwidth.most = std::max<uint64_t>(4 * uint64_t(to.timing.port_rate), uint64_t(to.beat_bytes) << 12);
	to.reads.push_back(std::move(port));
}

EXPORT void simulation_add_write_port(Simulation *simulation, uint32_t memory, const uint32_t *ports) {
	auto port = std::make_unique<Memory::WritePort>();
	for (Port *member : {&port->addr, &port->len, &port->size, &port->burst, &port->valid,
	                     &port->ready, &port->wdata, &port->wstrb, &port->wlast, &port->wvalid,
	                     &port->wready, &port->bresp, &port->bvalid, &port->bready})
		*member = simulation->ports[*ports++];
	simulation->memories[memory]->writes.push_back(std::move(port));
}

EXPORT uint8_t *simulation_memory_bytes(Simulation *simulation, uint32_t memory) {
	return simulation->memories[memory]->bytes.data();
}

// Accesses to addresses first..last are answered with `response` from now on.
EXPORT void simulation_memory_fault(
	Simulation *simulation, uint32_t memory, uint64_t first, uint64_t last, uint32_t response)
{
	Memory &of = *simulation->memories[memory];
	of.bad_first = first;
	of.bad_last = last;
	of.bad_response = response;
}

// Beats that were read and written so far, of all ports.
EXPORT void simulation_memory_beats(Simulation *simulation, uint32_t memory, uint64_t *beats) {
	beats[0] = beats[1] = 0;
	for (auto &port : simulation->memories[memory]->reads)
		beats[0] += port->beats;
	for (auto &port : simulation->memories[memory]->writes)
		beats[1] += port->beats;
}

// The first rule that a master broke (MemoryViolation), and when; 0: none.
EXPORT int32_t simulation_memory_violation(
	Simulation *simulation, uint32_t memory, uint64_t *cycle)
{
	*cycle = simulation->memories[memory]->violation_cycle;
	return simulation->memories[memory]->violation;
}

// Writes the signals of cycles first..last, both included; false if the file cannot be written.
EXPORT bool simulation_waveform(
	Simulation *simulation, const char *path, uint64_t first, uint64_t last)
{
#if DESIGN_WAVEFORM
	simulation->file.open(path);
	simulation->first_cycle = first;
	simulation->last_cycle = last;
	simulation->top.debug_info(&simulation->items, nullptr, "");
	simulation->vcd.timescale(1, "ns");
	simulation->vcd.add_without_memories(simulation->items);
	return simulation->file.is_open();
#else
	return false;
#endif
}

// errno of the write of the waveform that failed; 0: there was none. ``close`` ends the file.
EXPORT int simulation_waveform_error(Simulation *simulation, bool close) {
#if DESIGN_WAVEFORM
	if (close)
		simulation->close();
	return simulation->file_error;
#else
	return 0;
#endif
}

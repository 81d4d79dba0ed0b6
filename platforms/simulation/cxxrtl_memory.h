// A memory behind AXI ports of the design, as slow and moody as DRAM, and a checker of the masters.
//
// Times are in cycles of the design's clock. A read burst's first beat comes after a latency that is
// drawn from a range; beats of a port follow each other unless refresh, a bandwidth or a stall holds
// them up. A write is in the memory when it is answered, not before. Rules: ARM IHI 0022, A3.

struct MemoryTiming {
	uint32_t latency_least, latency_most;
	uint32_t refresh_interval, refresh_cycles; // interval 0: no refresh
	uint32_t shared_rate, port_rate; // bytes per cycle in 1/256, of all ports and of each; 0: no limit
	uint32_t stall_rate; // in 1/256, of every ready and valid
	uint32_t outstanding; // bursts that a port takes
	uint32_t seed;
};

enum MemoryViolation {
	VIOLATION_NONE,
	VIOLATION_AR_NOT_HELD,
	VIOLATION_AW_NOT_HELD,
	VIOLATION_W_NOT_HELD,
	VIOLATION_SIZE,
	VIOLATION_BURST,
	VIOLATION_UNALIGNED,
	VIOLATION_BOUNDARY,
	VIOLATION_LAST,
	VIOLATION_STROBE,
};

// Credit of bytes that grows with time and is spent by beats.
struct Bandwidth {
	uint32_t rate = 0;
	uint64_t credit = 0, most = 0;

	void tick() {
		if (rate && credit < most)
			credit += rate;
	}
	bool allows(uint32_t bytes) const { return !rate || credit >= uint64_t(bytes) << 8; }
	void spend(uint32_t bytes) {
		if (rate)
			credit -= uint64_t(bytes) << 8;
	}
};

struct Memory {
	struct Request {
		uint64_t due;
		uint64_t address;
		uint32_t beats;
		uint32_t response;
	};

	// Payload of a channel that waits for ready.
	struct Held {
		std::vector<Chunk> payload;
		bool waiting = false;

		bool changed(const std::vector<Chunk> &now, bool valid) const {
			return waiting && (!valid || now != payload);
		}
		void keep(const std::vector<Chunk> &now, bool is_waiting) {
			waiting = is_waiting;
			if (waiting)
				payload = now;
		}
	};

	// Channels in the order in which Python names them.
	struct ReadPort {
		Port addr, len, size, burst, valid, ready, rdata, rresp, rlast, rvalid, rready;
		std::deque<Request> queue;
		Held held;
		Bandwidth bandwidth;
		bool offered = false;
		uint64_t beats = 0;
	};

	struct WritePort {
		Port addr, len, size, burst, valid, ready;
		Port wdata, wstrb, wlast, wvalid, wready, bresp, bvalid, bready;
		std::deque<Request> addresses, answers;
		std::deque<std::vector<uint8_t>> data, done;
		Held address_held, data_held;
		bool offered = false;
		uint64_t beats = 0;
	};

	MemoryTiming timing;
	uint64_t base;
	uint32_t beat_bytes;
	std::vector<uint8_t> bytes;
	std::vector<std::unique_ptr<ReadPort>> reads;
	std::vector<std::unique_ptr<WritePort>> writes;
	Bandwidth shared;
	Stalls random;
	uint64_t bad_first = 1, bad_last = 0;
	uint32_t bad_response = 0;
	size_t turn = 0;
	int32_t violation = VIOLATION_NONE;
	uint64_t violation_cycle = 0;

	Memory(const MemoryTiming &timing, uint64_t base, uint64_t size, uint32_t beat_bytes)
		: timing(timing), base(base), beat_bytes(beat_bytes), bytes(size),
		  random{timing.stall_rate, timing.seed | 1}
	{
		shared.rate = timing.shared_rate;
		shared.most = std::max<uint64_t>(4 * uint64_t(timing.shared_rate), uint64_t(beat_bytes) << 12);
	}

	uint32_t draw(uint32_t least, uint32_t most) {
		Stalls &from = random;
		from.state ^= from.state << 13;
		from.state ^= from.state >> 17;
		from.state ^= from.state << 5;
		return least + from.state % (most - least + 1);
	}

	void violate(uint64_t cycle, MemoryViolation kind) {
		if (violation == VIOLATION_NONE) {
			violation = kind;
			violation_cycle = cycle;
		}
	}

	bool refreshing(uint64_t cycle) const {
		return timing.refresh_interval && cycle % timing.refresh_interval < timing.refresh_cycles;
	}

	uint32_t response(uint64_t address, uint32_t length) const {
		if (address < base || address + length > base + bytes.size())
			return 3;
		if (address <= bad_last && address + length > bad_first)
			return bad_response;
		return 0;
	}

	void drive(uint64_t cycle) {
		shared.tick();
		bool refresh = refreshing(cycle);
		// the port that is served first changes, so that none starves
		turn = reads.empty() ? 0 : (turn + 1) % reads.size();
		for (size_t i = 0; i < reads.size(); i++)
			drive(*reads[(turn + i) % reads.size()], cycle, refresh);
		for (auto &port : writes) {
			port->ready.data[0] = port->addresses.size() < timing.outstanding && !random.next();
			port->wready.data[0] = port->data.size() < timing.outstanding && !random.next();
			if (!port->offered)
				port->offered =
					!port->answers.empty() && port->answers.front().due <= cycle && !random.next();
			port->bvalid.data[0] = port->offered;
			if (port->offered)
				port->bresp.data[0] = port->answers.front().response;
		}
	}

	void drive(ReadPort &port, uint64_t cycle, bool refresh) {
		port.bandwidth.tick();
		port.ready.data[0] = port.queue.size() < timing.outstanding && !random.next();
		if (!port.offered && !refresh && !port.queue.empty() && port.queue.front().due <= cycle &&
		    shared.allows(beat_bytes) && port.bandwidth.allows(beat_bytes) && !random.next()) {
			port.offered = true;
			shared.spend(beat_bytes);
			port.bandwidth.spend(beat_bytes);
			const Request &burst = port.queue.front();
			if (burst.response == 0)
				memcpy(port.rdata.data, &bytes[burst.address - base], beat_bytes);
			else
				memset(port.rdata.data, 0xA5, beat_bytes);
			port.rresp.data[0] = burst.response;
			port.rlast.data[0] = burst.beats == 1;
		}
		port.rvalid.data[0] = port.offered;
	}

	void observe(uint64_t cycle) {
		for (auto &port : reads)
			observe(*port, cycle);
		for (auto &port : writes)
			observe(*port, cycle);
	}

	template<class Channel>
	void check(const Channel &port, uint64_t cycle) {
		uint64_t address = port.addr.data[0], length = (port.len.data[0] + 1) * uint64_t(beat_bytes);
		if (1u << port.size.data[0] != beat_bytes)
			violate(cycle, VIOLATION_SIZE);
		if (port.burst.data[0] != 1)
			violate(cycle, VIOLATION_BURST);
		if (address % beat_bytes)
			violate(cycle, VIOLATION_UNALIGNED);
		if (address / 4096 != (address + length - 1) / 4096)
			violate(cycle, VIOLATION_BOUNDARY);
	}

	template<class Channel>
	std::vector<Chunk> request(const Channel &port) const {
		return {port.addr.data[0], port.len.data[0], port.size.data[0], port.burst.data[0]};
	}

	void observe(ReadPort &port, uint64_t cycle) {
		bool valid = port.valid.data[0], taken = valid && port.ready.data[0];
		if (port.held.waiting || valid) {
			auto now = request(port);
			if (port.held.changed(now, valid))
				violate(cycle, VIOLATION_AR_NOT_HELD);
			port.held.keep(now, valid && !taken);
		}
		if (taken) {
			check(port, cycle);
			uint32_t beats = port.len.data[0] + 1;
			uint64_t due = cycle + draw(timing.latency_least, timing.latency_most);
			port.queue.push_back(
				{due, port.addr.data[0], beats, response(port.addr.data[0], beats * beat_bytes)});
		}
		if (port.offered && port.rready.data[0]) {
			port.offered = false;
			port.beats++;
			Request &burst = port.queue.front();
			burst.address += beat_bytes;
			if (--burst.beats == 0)
				port.queue.pop_front();
		}
	}

	void observe(WritePort &port, uint64_t cycle) {
		bool valid = port.valid.data[0], taken = valid && port.ready.data[0];
		auto now = request(port);
		if (port.address_held.changed(now, valid))
			violate(cycle, VIOLATION_AW_NOT_HELD);
		port.address_held.keep(now, valid && !taken);
		if (taken) {
			check(port, cycle);
			if (port.len.data[0])
				violate(cycle, VIOLATION_LAST); // this memory takes writes of one beat
			port.addresses.push_back({0, port.addr.data[0], 1, response(port.addr.data[0], beat_bytes)});
		}
		bool data_valid = port.wvalid.data[0], data_taken = data_valid && port.wready.data[0];
		std::vector<Chunk> data(port.wdata.data, port.wdata.data + port.wdata.chunks);
		if (port.data_held.changed(data, data_valid))
			violate(cycle, VIOLATION_W_NOT_HELD);
		port.data_held.keep(data, data_valid && !data_taken);
		if (data_taken) {
			if (!port.wlast.data[0])
				violate(cycle, VIOLATION_LAST);
			if (port.wstrb.data[0] != uint32_t((uint64_t(1) << beat_bytes) - 1))
				violate(cycle, VIOLATION_STROBE);
			const uint8_t *first = reinterpret_cast<const uint8_t *>(port.wdata.data);
			port.data.emplace_back(first, first + beat_bytes);
		}
		while (!port.addresses.empty() && !port.data.empty()) {
			Request answer = port.addresses.front();
			answer.due = cycle + draw(timing.latency_least, timing.latency_most);
			port.answers.push_back(answer);
			port.done.push_back(port.data.front());
			port.addresses.pop_front();
			port.data.pop_front();
		}
		if (port.offered && port.bready.data[0]) {
			port.offered = false;
			port.beats++;
			if (port.answers.front().response == 0)
				memcpy(&bytes[port.answers.front().address - base], port.done.front().data(), beat_bytes);
			port.answers.pop_front();
			port.done.pop_front();
		}
	}
};

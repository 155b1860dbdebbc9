// The memory transport: pipes inside one loop, with a link that can be slow, slice and break, repeatably.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "transport/transport.h"

namespace sealwire {

struct MemoryLink {
    // Each way.
    Time latency = 0;
    // Bytes under way in each direction before try_write takes less than all.
    size_t buffer_bytes = 64 * 1024;
    // on_bytes gets between these many bytes at a time, drawn from the seed.
    size_t chunk_min_bytes = 256 * 1024;
    size_t chunk_max_bytes = 256 * 1024;
    // After that many bytes were delivered in one direction, both ends break (peer_lost).
    uint64_t cut_after_bytes = UINT64_MAX;
    uint64_t seed = 1;
};

struct MemoryPair {
    std::unique_ptr<Pipe> first;
    std::unique_ptr<Pipe> second;
};

// Two connected ends. `name` shows in their addresses.
MemoryPair make_memory_pair(Loop& loop, const MemoryLink& link = {}, std::string_view name = "pair");

class MemoryListener;

// The names that memory://name can reach, and how their links behave. Belongs to one loop; outlives its listeners.
class MemoryHub {
public:
    explicit MemoryHub(MemoryLink link = {}) : link_(link) {}
    MemoryHub(const MemoryHub&) = delete;
    MemoryHub& operator=(const MemoryHub&) = delete;

    // For connections from now on; each draws its own seed from the link's.
    void set_link(const MemoryLink& link) { link_ = link; }
    MemoryLink next_link();
    bool has(std::string_view name) const { return listeners_.count(std::string(name)) > 0; }

private:
    friend class MemoryListener;
    friend class MemoryConnecting;
    MemoryLink link_;
    uint64_t connections_ = 0;
    std::unordered_map<std::string, MemoryListener*> listeners_;
};

Result<std::unique_ptr<Listener>> listen_memory(Loop& loop, std::string_view address, const ListenOptions& options,
                                                ListenerHandler& handler);
Result<std::unique_ptr<Connecting>> connect_memory(Loop& loop, std::string_view address, const ConnectOptions& options,
                                                   ConnectHandler& handler);

}  // namespace sealwire

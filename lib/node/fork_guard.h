// Whether this process is the child of a fork of one that had opened a node: its locks and threads are not to be touched.
#pragma once

#include <atomic>

namespace sealwire {

class ForkGuard {
public:
    // Begins to watch, once; before the first lock that a fork could catch held.
    static void watch();
    // Cheap; read before any lock.
    static bool forked() { return forked_.load(std::memory_order_relaxed); }

private:
    static std::atomic<bool> forked_;
};

}  // namespace sealwire

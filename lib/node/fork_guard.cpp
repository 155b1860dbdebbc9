// The flag that pthread_atfork sets in the child.
#include "node/fork_guard.h"

#include <pthread.h>

namespace sealwire {

std::atomic<bool> ForkGuard::forked_{false};

void ForkGuard::watch() {
    static const int registered =
        pthread_atfork(nullptr, nullptr, [] { forked_.store(true, std::memory_order_relaxed); });
    static_cast<void>(registered);
}

}  // namespace sealwire

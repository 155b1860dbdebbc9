// When a transfer works, and what it tells on its way.
#include "node/transfer.h"

#include <new>

#include "node/peer.h"

namespace sealwire {

void Transfer::schedule() {
    {
        const std::lock_guard lock(schedule_mutex_);
        once_more_ = true;
        if (scheduled_) return;
        scheduled_ = true;
    }
    try {
        if (hub_->workers().run([self = shared_from_this()] { self->run(); })) return;
        give_up(Errc::system);
    } catch (const std::bad_alloc&) {
        give_up(Errc::no_memory);
    }
    const std::lock_guard lock(schedule_mutex_);
    scheduled_ = false;
}

void Transfer::run() {
    for (;;) {
        {
            const std::lock_guard lock(schedule_mutex_);
            if (!once_more_) {
                scheduled_ = false;
                return;
            }
            once_more_ = false;
        }
        try {
            work();
        } catch (const std::bad_alloc&) {
            give_up(Errc::no_memory);
        }
    }
}

void Transfer::tell(uint64_t bytes, uint64_t total) {
    if (step_ == 0 || bytes - told_ < step_) return;
    told_ = bytes;
    Peer::tell_progress(peer_, number_, part_, bytes, total);
}

}  // namespace sealwire

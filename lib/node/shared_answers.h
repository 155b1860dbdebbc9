// SharedAnswers: a node's answers to requests with an idempotency key, on whichever thread they are given.
#pragma once

#include <mutex>

#include "node/answers.h"
#include "protocol/outbox.h"

namespace sealwire {

// Its lock is never held together with that of a peer, and nothing is called under it.
class SharedAnswers {
public:
    // Of a request with a key, loop thread: true when it is not to be run, and is answered from here, now or later.
    bool begin(const PeerId& peer, Bytes key, Answers::Place place, bool storable);
    // An answer was taken, and no lock is held: those who wait for it get it, too.
    void answered(Answers::Place place, const OutMessage& message);
    void answered(Answers::Place place, uint32_t code, std::string_view text, Bytes details, uint8_t type);
    // It has ended. True: the application knows nothing of it.
    bool cut(Answers::Place place);

private:
    void finish(Answers::Place place, const Answers::Answer& answer);
    bool runs(Answers::Place place);

    std::mutex mutex_;
    Answers answers_;
};

}  // namespace sealwire

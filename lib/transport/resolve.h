// Resolution: a host name turned into addresses on a detached thread that nothing ever waits for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transport/transport.h"

namespace sealwire {

// Tells its result once, on the loop thread. Destroying it forgets the result; the thread ends when its resolver returns,
// which may be after the loop is gone. Loop thread.
class Resolution {
public:
    using Done = std::function<void(Result<std::vector<std::string>>)>;

    Resolution(Loop& loop, const Resolver& resolver, const std::string& host, Done done);
    ~Resolution();
    Resolution(const Resolution&) = delete;
    Resolution& operator=(const Resolution&) = delete;

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the thread
};

}  // namespace sealwire

// The resolving thread, what it shares with the loop, and the system's resolver.
#include "transport/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "transport/socket.h"

namespace sealwire {

struct Resolution::State {
    std::mutex mutex;
    Loop* loop;  // under mutex; null once nobody wants the result
    Done done;   // loop thread; empty once nobody wants the result
};

Resolution::Resolution(Loop& loop, const Resolver& resolver, const std::string& host, Done done)
    : state_(std::make_shared<State>()) {
    state_->loop = &loop;
    state_->done = std::move(done);
    const auto tell = [](const std::shared_ptr<State>& state, Result<std::vector<std::string>> result) {
        const std::lock_guard lock(state->mutex);
        if (!state->loop) return;
        state->loop->post([state, result = std::move(result)]() mutable {
            if (const Done wanted = std::exchange(state->done, nullptr)) wanted(std::move(result));
        });
    };
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        std::thread([state = state_, resolver, host, tell] {
            tell(state, resolver ? resolver(host) : resolve_with_system(host));
        }).detach();
    } catch (const std::system_error& error) {
        tell(state_, fail(Errc::system, "cannot start a thread: " + errno_text(error.code().value())));
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Resolution::~Resolution() {
    state_->done = nullptr;
    const std::lock_guard lock(state_->mutex);
    state_->loop = nullptr;
}

Result<std::vector<std::string>> resolve_with_system(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_family = AF_UNSPEC;
    addrinfo* list = nullptr;
    const int status = getaddrinfo(host.c_str(), nullptr, &hints, &list);
    if (status != 0) {
        const int number = errno;
        return fail(Errc::name, host + ": " + (status == EAI_SYSTEM ? errno_text(number) : gai_strerror(status)));
    }
    std::vector<std::string> result;
    for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
        char text[NI_MAXHOST];
        if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0)
            continue;
        if (std::find(result.begin(), result.end(), text) == result.end()) result.emplace_back(text);
    }
    freeaddrinfo(list);
    if (result.empty()) return fail(Errc::name, host + ": no address");
    return result;
}

}  // namespace sealwire

// Names: resolvers that hang, fail and answer, and that nothing waits for them.
#include "transport/resolve.h"

#include <doctest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;

namespace {

// A resolver that answers when it is let go, and its two ends as events. `ended` comes once the last copy of the resolver
// is gone: with the thread's copy, after the library has tried to tell the late answer.
class Gate {
public:
    Resolver resolver() {
        const auto end = std::shared_ptr<void>(nullptr, [state = state_](void*) { state->raise(state->ended); });
        return [state = state_, end](const std::string&) -> Result<std::vector<std::string>> {
            state->raise(state->begun);
            std::unique_lock lock(state->mutex);
            state->changed.wait(lock, [&] { return state->open; });
            return std::vector<std::string>{"127.0.0.1"};
        };
    }
    void open() { state_->raise(state_->open); }
    bool begun() { return state_->wait(state_->begun); }
    bool ended() { return state_->wait(state_->ended); }

private:
    struct State {
        void raise(bool& flag) {
            const std::lock_guard lock(mutex);
            flag = true;
            changed.notify_all();
        }
        bool wait(const bool& flag) {
            std::unique_lock lock(mutex);
            return changed.wait_for(lock, std::chrono::seconds(30), [&] { return flag; });
        }
        std::mutex mutex;
        std::condition_variable changed;
        bool begun = false;
        bool open = false;
        bool ended = false;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace

TEST_CASE("the attempt and the loop can be closed while a resolver hangs, and its late answer goes nowhere") {
    Gate gate;
    Connector connector;
    {
        World world(Kind::tcp4);
        world.connect_options.resolver = gate.resolver();
        world.connect(connector, "slow.test:80");
        REQUIRE(gate.begun());
        connector.connecting.reset();
    }
    // The loop is gone and the resolver still runs: nothing has waited for it.
    gate.open();
    CHECK(gate.ended());
    CHECK(connector.told == 0);
}

TEST_CASE("a loop with its own thread stops at once while a resolver hangs") {
    Gate gate;
    Connector connector;
    World world(Kind::tcp4);
    world.connect_options.resolver = gate.resolver();
    REQUIRE(world.loop->start());
    world.loop->post([&] { world.connect(connector, "slow.test:80"); });
    REQUIRE(gate.begun());
    world.loop->stop_and_join();
    connector.connecting.reset();
    world.connect_options.resolver = nullptr;
    gate.open();
    CHECK(gate.ended());
    CHECK(connector.told == 0);
}

TEST_CASE("a resolver that does not answer in time is a failure of the name") {
    Gate gate;
    World world(Kind::tcp4);
    world.connect_options.resolver = gate.resolver();
    world.connect_options.timeout = 20 * kMillisecond;
    Connector connector;
    world.connect(connector, "slow.test:80");
    REQUIRE(world.until([&] { return connector.told > 0; }));
    CHECK(connector.error.code == Errc::name);
    CHECK(connector.error.detail.find("slow.test") != std::string::npos);
    connector.connecting.reset();
    world.connect_options.resolver = nullptr;
    gate.open();
    CHECK(gate.ended());
}

TEST_CASE("a name that does not resolve is told as such, with the resolver's words") {
    World world(Kind::tcp4);
    for (const bool empty : {false, true}) {
        world.connect_options.resolver = [empty](const std::string& host) -> Result<std::vector<std::string>> {
            if (empty) return std::vector<std::string>{};
            return fail(Errc::name, host + ": no such host");
        };
        Connector connector;
        world.connect(connector, "nowhere.test:80");
        REQUIRE(world.until([&] { return connector.told > 0; }));
        CHECK(connector.error.code == Errc::name);
        if (!empty) CHECK(connector.error.detail == "nowhere.test: no such host");
    }
}

TEST_CASE("the addresses of a name are tried in turn, and all failures are told") {
    World world(Kind::tcp4);
    world.listen();
    const std::string url = world.acceptor.listener->address();
    const std::string port = url.substr(url.rfind(':'));
    world.connect_options.resolver = [](const std::string& name) -> Result<std::vector<std::string>> {
        if (name != "both.test") return fail(Errc::argument, name);
        return std::vector<std::string>{"::1", "127.0.0.1"};  // nobody listens at the first
    };
    Connector connector;
    world.connect(connector, "both.test" + port);
    REQUIRE(world.until([&] { return connector.told > 0; }));
    REQUIRE(connector.end);
    CHECK(connector.end->pipe->remote_address() == url);
    REQUIRE(connector.tried.size() == 2);
    CHECK(connector.tried[0].first == "tcp://[::1]" + port);
    CHECK(connector.tried[0].second.code == Errc::ok);
    CHECK(connector.tried[1].first == url);
    CHECK(connector.tried[1].second.code == Errc::refused);
    CHECK(connector.tried[1].second.detail.find("[::1]") != std::string::npos);

    world.acceptor.listener.reset();
    Connector failing;
    world.connect(failing, "both.test" + port);
    REQUIRE(world.until([&] { return failing.told > 0; }));
    CHECK(failing.error.code == Errc::refused);
    CHECK(failing.error.detail.find("[::1]") != std::string::npos);
    CHECK(failing.error.detail.find("127.0.0.1") != std::string::npos);
}

TEST_CASE("the system's resolver knows localhost") {
    const Result<std::vector<std::string>> addresses = resolve_with_system("localhost");
    REQUIRE(addresses);
    CHECK((std::count(addresses->begin(), addresses->end(), "127.0.0.1") +
           std::count(addresses->begin(), addresses->end(), "::1")) > 0);
}

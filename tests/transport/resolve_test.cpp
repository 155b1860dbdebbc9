// Names: resolvers that hang, fail and answer, and that nothing waits for them.
#include "transport/resolve.h"

#include <doctest.h>

#include <future>

#include "transport/world.h"

using namespace sealwire;
using namespace sealwire::transport_test;

namespace {

// A resolver that answers when it is let go, on a thread that tells when it has begun.
struct Gate {
    std::promise<void> open;
    std::shared_future<void> opened{open.get_future().share()};
    std::shared_ptr<std::promise<void>> begun = std::make_shared<std::promise<void>>();
    std::shared_ptr<std::promise<void>> ended = std::make_shared<std::promise<void>>();

    Resolver resolver() {
        return [opened = opened, begun = begun, ended = ended](const std::string&) -> Result<std::vector<std::string>> {
            begun->set_value();
            opened.wait();
            ended->set_value_at_thread_exit();  // after the library has tried to tell the answer
            return std::vector<std::string>{"127.0.0.1"};
        };
    }
};

bool ready(std::promise<void>& promise) {
    return promise.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready;
}

}  // namespace

TEST_CASE("the attempt and the loop can be closed while a resolver hangs, and its late answer goes nowhere") {
    Gate gate;
    Connector connector;
    {
        World world(Kind::tcp4);
        world.connect_options.resolver = gate.resolver();
        world.connect(connector, "slow.test:80");
        REQUIRE(ready(*gate.begun));
        connector.connecting.reset();
    }
    // The loop is gone and the resolver still runs: nothing has waited for it.
    gate.open.set_value();
    CHECK(ready(*gate.ended));
    CHECK(connector.told == 0);
}

TEST_CASE("a loop with its own thread stops at once while a resolver hangs") {
    Gate gate;
    Connector connector;
    World world(Kind::tcp4);
    world.connect_options.resolver = gate.resolver();
    REQUIRE(world.loop->start());
    world.loop->post([&] { world.connect(connector, "slow.test:80"); });
    REQUIRE(ready(*gate.begun));
    world.loop->stop_and_join();
    connector.connecting.reset();
    gate.open.set_value();
    CHECK(ready(*gate.ended));
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
    gate.open.set_value();
    CHECK(ready(*gate.ended));
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
    std::vector<std::string> answer = {"::1", "127.0.0.1"};  // nobody listens at the first
    std::promise<std::string> host;
    world.connect_options.resolver = [&](const std::string& name) -> Result<std::vector<std::string>> {
        host.set_value(name);
        return answer;
    };
    Connector connector;
    world.connect(connector, "both.test" + port);
    CHECK(host.get_future().get() == "both.test");
    REQUIRE(world.until([&] { return connector.told > 0; }));
    REQUIRE(connector.end);
    CHECK(connector.end->pipe->remote_address() == url);

    world.acceptor.listener.reset();
    host = std::promise<std::string>();
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

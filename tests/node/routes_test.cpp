// Routes: handlers by name, the default, and interned numbers.
#include "node/routes.h"

#include <doctest.h>

#include <string>
#include <thread>

namespace routes_test {

using namespace sealwire;

namespace {

int marks[4];

}  // namespace

TEST_CASE("a message finds the handler of its route, else the default, else none") {
    Routes routes;
    CHECK(routes.table().find("a") == nullptr);
    routes.set("a", {nullptr, &marks[0]});
    routes.set("b", {nullptr, &marks[1]});
    REQUIRE(routes.table().find("a"));
    CHECK(routes.table().find("a")->handler.user == &marks[0]);
    CHECK(*routes.table().find("a")->name == "a");
    CHECK(routes.table().find("c") == nullptr);
    routes.set("", {nullptr, &marks[2]});
    CHECK(routes.table().find("c")->handler.user == &marks[2]);
    CHECK(routes.table().find("b")->handler.user == &marks[1]);
    CHECK(routes.remove("b") == Errc::ok);
    CHECK(routes.table().find("b")->handler.user == &marks[2]);
    CHECK(routes.remove("b") == Errc::state);
}

TEST_CASE("the table stays the same while nothing changes, and its version tells when it does") {
    Routes routes;
    routes.set("a", {});
    const uint64_t version = routes.table().version;
    CHECK(routes.table().version == version);
    routes.set("a", {nullptr, &marks[3]});
    CHECK(routes.table().version != version);
    CHECK(routes.table().find("a")->handler.user == &marks[3]);
}

TEST_CASE("numbers stand for routes, the same one each time") {
    Routes routes;
    const auto first = routes.intern("first");
    REQUIRE(first);
    CHECK(*first != 0);
    CHECK(*routes.intern("first") == *first);
    CHECK(*routes.interned(*first) == "first");
    CHECK(routes.interned(0) == nullptr);
    CHECK(routes.interned(*first + 1) == nullptr);
    CHECK(routes.interned(UINT32_MAX) == nullptr);
}

TEST_CASE("65,536 numbers and no more, read without a lock while others are given out") {
    Routes routes;
    std::thread reader([&] {
        while (routes.interned(65'536) == nullptr) {
            if (const std::string* one = routes.interned(1)) CHECK(*one == "0");
            std::this_thread::yield();
        }
    });
    for (int i = 0; i < 65'536; ++i) REQUIRE(routes.intern(std::to_string(i)));
    reader.join();
    const auto more = routes.intern("one more");
    REQUIRE_FALSE(more);
    CHECK(more.error().code == Errc::too_many);
    CHECK(*routes.interned(65'536) == "65535");
}

TEST_CASE("a route's name is 1 to 255 bytes of UTF-8 without a zero byte") {
    CHECK(is_route_name("a"));
    CHECK(is_route_name(std::string(255, 'x')));
    CHECK(is_route_name("gr\xc3\xbc\xc3\x9f"));
    CHECK_FALSE(is_route_name(""));
    CHECK_FALSE(is_route_name(std::string(256, 'x')));
    CHECK_FALSE(is_route_name(std::string("a\0b", 3)));
    CHECK_FALSE(is_route_name("\xff"));
}

}  // namespace routes_test

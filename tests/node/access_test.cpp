// The allow-list: ids as holders of keys, replaced as a whole.
#include "node/access.h"

#include <doctest.h>

#include <array>

namespace access_test {

using namespace sealwire;

namespace {

PeerId id_of(uint8_t byte) {
    PeerId id;
    id.bytes.fill(byte);
    return id;
}

}  // namespace

TEST_CASE("a list holds what it was set to last, whatever the sign of a key") {
    AllowList list;
    CHECK_FALSE(list.contains(id_of(1)));
    list.set(std::array{id_of(1), id_of(2)});
    CHECK(list.contains(id_of(1)));
    CHECK(list.contains(id_of(2)));
    CHECK_FALSE(list.contains(id_of(3)));
    PeerId negative = id_of(1);
    negative.bytes[31] ^= 0x80;
    CHECK(list.contains(negative));
    list.set(std::array{negative});
    CHECK(list.contains(id_of(1)));
    CHECK_FALSE(list.contains(id_of(2)));
    list.set({});
    CHECK_FALSE(list.contains(id_of(1)));
}

}  // namespace access_test

// UUIDs of messages: known answers, and different for whatever is different.
#include "protocol/message_uuid.h"

#include <doctest.h>

#include <set>
#include <string>

namespace message_uuid_test {

using namespace sealwire;

namespace {

std::string hex(const Uuid& uuid) {
    std::string text;
    for (const uint8_t byte : uuid) text += "0123456789abcdef"[byte >> 4], text += "0123456789abcdef"[byte & 15];
    return text;
}

}  // namespace

TEST_CASE("the UUID of a message is as PROTOCOL.md derives it") {
    std::array<uint8_t, kSessionIdSize> session{};
    for (size_t i = 0; i < session.size(); ++i) session[i] = static_cast<uint8_t>(i);
    CHECK(hex(message_uuid(session, true, 0, 0)) == "e42ff02183ce8effac3be3580cedf1a8");
    CHECK(hex(message_uuid(session, false, 1'000'003, 7)) == "9e710b033e808f088f92f0cd20057252");
}

TEST_CASE("session, side, exchange and place each make another one, of version 8 and the variant of RFC 9562") {
    std::set<std::string> all;
    for (const int session : {1, 2}) {
        for (const bool creator : {true, false}) {
            for (uint64_t id = 0; id < 10; ++id) {
                for (uint64_t place = 0; place < 10; ++place) {
                    std::array<uint8_t, kSessionIdSize> session_id{};
                    session_id[0] = static_cast<uint8_t>(session);
                    const Uuid uuid = message_uuid(session_id, creator, id, place);
                    CHECK((uuid[6] >> 4) == 8);
                    CHECK((uuid[8] >> 6) == 2);
                    all.insert(hex(uuid));
                }
            }
        }
    }
    CHECK(all.size() == 400);
}

}  // namespace message_uuid_test

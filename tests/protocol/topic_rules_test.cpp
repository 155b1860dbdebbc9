// Patterns of topics, and which rule decides.
#include "protocol/topic_rules.h"

#include <doctest.h>

#include <random>

namespace topic_rules_test {

using namespace sealwire;

namespace {

// As the words of topic_rules.h have it, by trying all.
bool matches_slowly(std::string_view pattern, std::string_view name) {
    if (pattern.empty()) return name.empty();
    if (pattern.starts_with("**")) {
        for (size_t i = 0; i <= name.size(); ++i) {
            if (matches_slowly(pattern.substr(2), name.substr(i))) return true;
        }
        return false;
    }
    if (pattern[0] == '*') {
        for (size_t i = 0; i <= name.size(); ++i) {
            if (matches_slowly(pattern.substr(1), name.substr(i))) return true;
            if (i < name.size() && name[i] == '/') return false;
        }
        return false;
    }
    if (pattern[0] == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
    return !name.empty() && pattern[0] == name[0] && matches_slowly(pattern.substr(1), name.substr(1));
}

PeerId id_of(uint8_t first) {
    PeerId id{};
    id.bytes[0] = first;
    return id;
}

}  // namespace

TEST_CASE("patterns fit names, parts of names and all below a name") {
    CHECK(topic_matches("news", "news"));
    CHECK_FALSE(topic_matches("news", "new"));
    CHECK_FALSE(topic_matches("news", "newspaper"));
    CHECK(topic_matches("news*", "newspaper"));
    CHECK(topic_matches("room/*", "room/a"));
    CHECK(topic_matches("room/*", "room/"));
    CHECK_FALSE(topic_matches("room/*", "room/a/b"));
    CHECK(topic_matches("room/**", "room/a/b"));
    CHECK(topic_matches("**", "any/thing"));
    CHECK(topic_matches("*/price", "eur/price"));
    CHECK_FALSE(topic_matches("*/price", "a/eur/price"));
    CHECK(topic_matches("**/price", "a/eur/price"));
    CHECK(topic_matches("a*c*e", "abcde"));
    CHECK(topic_matches("\\*", "*"));
    CHECK_FALSE(topic_matches("\\*", "x"));
    CHECK(topic_matches("a\\\\b", "a\\b"));
    CHECK(topic_matches("end\\", "end\\"));
}

TEST_CASE("a pattern fits exactly what trying all ways finds") {
    std::mt19937 lot(1);
    const auto any_of = [&](std::string_view of, size_t most) {
        std::string text;
        for (size_t size = lot() % most; text.size() < size;) text += of[lot() % of.size()];
        return text;
    };
    size_t fits = 0;
    for (int i = 0; i < 200000; ++i) {
        const std::string pattern = any_of("ab/**\\", 8), name = any_of("ab/*\\", 9);
        const bool expected = matches_slowly(pattern, name);
        fits += expected;
        REQUIRE_MESSAGE(topic_matches(pattern, name) == expected, pattern, " and ", name);
    }
    CHECK(fits > 5000);
}

TEST_CASE("the first rule that speaks of the right, the peer and the name decides; else it is denied") {
    using namespace topic_right;
    const TopicRules rules({{"secret", id_of(1), join, TopicVerdict::allow},
                            {"secret", std::nullopt, join | publish, TopicVerdict::deny},
                            {"**", id_of(2), publish, TopicVerdict::ask},
                            {"**", std::nullopt, join, TopicVerdict::allow}});
    CHECK(rules.verdict("secret", id_of(1), join) == TopicVerdict::allow);
    CHECK(rules.verdict("secret", id_of(2), join) == TopicVerdict::deny);
    CHECK(rules.verdict("secret", id_of(2), publish) == TopicVerdict::deny);
    CHECK(rules.verdict("open", id_of(2), publish) == TopicVerdict::ask);
    CHECK(rules.verdict("open", id_of(1), publish) == TopicVerdict::deny);
    CHECK(rules.verdict("open", id_of(1), join) == TopicVerdict::allow);
}

}  // namespace topic_rules_test

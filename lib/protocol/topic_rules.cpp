// Patterns of topics, and the rules that have them.
#include "protocol/topic_rules.h"

namespace sealwire {

bool topic_matches(std::string_view pattern, std::string_view name) {
    constexpr size_t kNone = std::string_view::npos;
    size_t at = 0;  // in the pattern
    size_t to = 0;  // in the name
    // Behind the last star of each kind, and what it stands for so far.
    size_t star = kNone, star_to = 0;
    size_t any = kNone, any_to = 0;
    while (to < name.size()) {
        if (pattern.substr(at).starts_with("**")) {
            any = at += 2;
            any_to = to;
            star = kNone;
            continue;
        }
        if (at < pattern.size() && pattern[at] == '*') {
            star = ++at;
            star_to = to;
            continue;
        }
        const size_t length = at + 1 < pattern.size() && pattern[at] == '\\' ? 2 : 1;
        if (at < pattern.size() && pattern[at + length - 1] == name[to]) {
            at += length;
            ++to;
        } else if (star != kNone && name[star_to] != '/') {
            at = star;
            to = ++star_to;
        } else if (any != kNone) {
            star = kNone;
            at = any;
            to = ++any_to;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', at) == kNone;
}

TopicVerdict TopicRules::verdict(std::string_view name, const PeerId& peer, uint8_t right) const {
    for (const TopicRule& rule : rules_) {
        if (!(rule.rights & right) || (rule.peer && !same_holder(*rule.peer, peer))) continue;
        if (topic_matches(rule.pattern, name)) return rule.verdict;
    }
    return TopicVerdict::deny;
}

}  // namespace sealwire

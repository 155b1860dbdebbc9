// Noise handshake patterns, read from the notation of the specification when the program is compiled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace sealwire::noise {

enum class Token : uint8_t { e, s, ee, es, se, ss, psk, e1, ekem1 };

struct Tokens {
    std::array<Token, 6> list{};
    size_t count = 0;

    constexpr const Token* begin() const { return list.data(); }
    constexpr const Token* end() const { return list.data() + count; }
    constexpr void add(Token token) {
        if (count == list.size()) throw std::invalid_argument("too many tokens");
        list[count++] = token;
    }
};

struct Pattern {
    Tokens known_of_initiator;  // pre-messages
    Tokens known_of_responder;
    std::array<Tokens, 4> messages{};  // the first and every other is the initiator's
    size_t message_count = 0;
    bool has_psk = false;
};

// For example "<- s ... -> e es <- e ee -> s se", which is XK: arrows, tokens and "..." set apart by single spaces.
// What is no pattern throws, which in a constant expression is an error of the compiler.
constexpr Pattern parse_pattern(std::string_view text) {
    constexpr std::array<std::string_view, 9> kNames{"e", "s", "ee", "es", "se", "ss", "psk", "e1", "ekem1"};
    Pattern pattern;
    const bool has_known = text.find("...") != std::string_view::npos;
    bool in_known = has_known;
    Tokens* current = nullptr;
    while (!text.empty()) {
        const size_t space = text.find(' ');
        const std::string_view word = text.substr(0, space);
        text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
        if (word == "...") {
            in_known = false;
            current = nullptr;
        } else if (word == "->" || word == "<-") {
            const bool of_initiator = word == "->";
            if (in_known) {
                current = of_initiator ? &pattern.known_of_initiator : &pattern.known_of_responder;
                continue;
            }
            if (pattern.message_count == pattern.messages.size() || (pattern.message_count % 2 == 0) != of_initiator)
                throw std::invalid_argument("messages take turns, the initiator first, four at most");
            current = &pattern.messages[pattern.message_count++];
        } else {
            size_t index = 0;
            while (index < kNames.size() && kNames[index] != word) ++index;
            if (index == kNames.size() || current == nullptr) throw std::invalid_argument("unknown word in a pattern");
            current->add(static_cast<Token>(index));
            if (static_cast<Token>(index) == Token::psk) pattern.has_psk = true;
        }
    }
    if (pattern.message_count == 0) throw std::invalid_argument("a pattern has messages");
    return pattern;
}

}  // namespace sealwire::noise

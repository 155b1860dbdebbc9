// Networks: names, secrets with their checksum, passphrases.
#include "crypto/network.h"

#include <doctest.h>

#include <algorithm>
#include <cctype>

#include "crypto/base32.h"
#include "crypto/hash.h"
#include "crypto/sodium_rng.h"
#include "support/scale.h"
#include "support/test_rng.h"

using namespace sealwire;
using namespace sealwire::test;

TEST_CASE("a name's key is the hash that the document says; the default is the empty name") {
    Secret<32> expected;
    REQUIRE(blake2b(expected.mutable_bytes(), {}, as_bytes("sealwire network nameteam")));
    const Result<Network> team = Network::parse("team");
    REQUIRE(team);
    CHECK(team->psk() == expected);
    CHECK_FALSE(team->is_secret());
    CHECK(Network().psk() == Network::parse("")->psk());
    CHECK_FALSE(Network().psk() == team->psk());
    CHECK(team->clone().psk() == expected);
}

TEST_CASE("a generated secret parses, its key is the hash that the document says") {
    SeededRng rng(50);
    const std::string text(Network::generate(rng).view());
    CHECK(text.size() == 6 + 58);
    const Result<Network> network = Network::parse(text);
    REQUIRE(network);
    CHECK(network->is_secret());
    std::array<uint8_t, 36> block{};
    REQUIRE(parse_base32(text.substr(6), block));
    Secret<32> expected;
    REQUIRE(blake2b(expected.mutable_bytes(), Bytes(block).first(32), as_bytes("sealwire network secret")));
    CHECK(network->psk() == expected);
}

TEST_CASE("a text with the prefix of a secret is a secret or an error, never a name") {
    SeededRng rng(51);
    const std::string text(Network::generate(rng).view());
    uint64_t refused = 0;
    uint64_t tried = 0;
    for (size_t at = 6; at < text.size(); ++at) {
        for (const char letter : std::string_view("abcdefghijklmnopqrstuvwxyz234567AZ019 -")) {
            if (letter == text[at]) continue;
            std::string changed = text;
            changed[at] = letter;
            const Result<Network> parsed = Network::parse(changed);
            if (!parsed && parsed.error().code == Errc::key) ++refused;
            ++tried;
        }
    }
    CHECK(tried == 58 * 38);
    CHECK(refused == tried);
    for (const std::string& bad : {std::string("swnet1"), std::string("swnet1x"), text + "a", text.substr(0, 63)})
        CHECK(Network::parse(bad).error().code == Errc::key);
    CHECK(Network::parse("swnet2" + text.substr(6)));  // a name
    std::string capitals = text;
    std::transform(capitals.begin(), capitals.end(), capitals.begin(),
                   [](char c) { return static_cast<char>(std::toupper(c)); });
    // A secret with something before it or in capitals is no name for everybody to guess.
    for (const std::string& near :
         {" " + text, "\xef\xbb\xbf" + text, "\"" + text + "\"", "# mine\n" + text, capitals, std::string("my swnet1")})
        CHECK(Network::parse(near).error().code == Errc::key);
    CHECK(Network::parse("my swnet"));
}

TEST_CASE("names are bounded") {
    CHECK(Network::parse(std::string(255, 'n')));
    CHECK(Network::parse(std::string(256, 'n')).error().code == Errc::key);
    CHECK(Network::parse(std::string_view("a\0b", 3)).error().code == Errc::key);
}

TEST_CASE("a passphrase gives one secret, which its label changes") {
    CHECK(Network::secret_from_passphrase("too short").error().code == Errc::key);
    const Result<SecretText> first = Network::secret_from_passphrase("correct horse battery staple");
    REQUIRE(first);
    CHECK(Network::parse(first->view())->is_secret());
    if (!test::kThreadSanitized) {  // 25 s each there
        const Result<SecretText> labelled = Network::secret_from_passphrase("correct horse battery staple", "choir");
        REQUIRE(labelled);
        CHECK(first->view() != labelled->view());
    }
    // Known answer, for other implementations.
    CHECK(first->view() == "swnet153luaoh7ccjj2iwfibtvdec4q2r3f4lkw42peji7d2wbvaxvyp6sv6735a");
}

TEST_CASE("a secret text leaves nothing where it was, moved or gone") {
    alignas(SecretText) std::array<unsigned char, sizeof(SecretText)> place{};
    const std::string_view words = "short secret";  // short: kept inside of the object
    const auto holds = [&] {
        const std::string_view all(reinterpret_cast<const char*>(place.data()), place.size());
        return all.find("secret") != std::string_view::npos;
    };
    auto* text = new (place.data()) SecretText(std::string(words));
    CHECK(holds());
    {
        const SecretText moved(std::move(*text));
        CHECK(moved.view() == words);
        CHECK_FALSE(holds());
    }
    text->~SecretText();
    text = new (place.data()) SecretText(std::string(words));
    text->~SecretText();
    CHECK_FALSE(holds());
}

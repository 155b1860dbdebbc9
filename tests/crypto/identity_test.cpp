// Identities, their ids in text, and key files.
#include "crypto/identity.h"

#include <doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "crypto/base32.h"
#include "crypto/sodium_rng.h"
#include "support/json.h"
#include "support/test_rng.h"

using namespace sealwire;
using namespace sealwire::test;

namespace {

// A directory of its own that goes away.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        const char* root = std::getenv("TMPDIR");
        path_ = std::string(root ? root : "/tmp") + "/sealwire-key-XXXXXX";
        REQUIRE(::mkdtemp(path_.data()) != nullptr);
    }
    ~TemporaryDirectory() {
        for (const std::string& file : files_) ::unlink(file.c_str());
        ::rmdir(path_.c_str());
    }
    std::string file(const std::string& name) {
        files_.push_back(path_ + "/" + name);
        return files_.back();
    }
    std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
        const std::string path = file(name);
        std::ofstream(path, std::ios::binary) << text;
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        return path;
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
    std::vector<std::string> files_;
};

const std::string kSeedHex = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

Identity known_identity() { return Identity::from_seed(Bytes(from_hex(kSeedHex)).first<32>()); }

}  // namespace

TEST_CASE("the peer id is the Ed25519 public key of the seed (RFC 8032, 7.1), in 52 letters") {
    const Identity identity = known_identity();
    CHECK(to_hex(identity.id().bytes.data(), 32) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    CHECK(identity.id().text().size() == 52);
    CHECK(identity.id().short_text() == identity.id().text().substr(0, 8));
    const Result<PeerId> parsed = PeerId::parse(identity.id().text());
    REQUIRE(parsed);
    CHECK(*parsed == identity.id());
}

TEST_CASE("base32 is RFC 4648's in lower case, and has one form only") {
    const std::pair<const char*, const char*> known[] = {{"", ""},
                                                         {"f", "my"},
                                                         {"fo", "mzxq"},
                                                         {"foo", "mzxw6"},
                                                         {"foob", "mzxw6yq"},
                                                         {"fooba", "mzxw6ytb"},
                                                         {"foobar", "mzxw6ytboi"}};
    for (const auto& [plain, text] : known) {
        CHECK(base32(as_bytes(plain)) == text);
        std::vector<uint8_t> back(std::string(plain).size());
        REQUIRE(parse_base32(text, back));
        CHECK(as_text(back) == plain);
    }
    std::array<uint8_t, 2> out{};
    for (const char* bad : {"", "mzx", "mzxqq", "mzxr", "MZXQ", "mzx1", "mzx=", "mz q", "mzx\xff"})
        CHECK_FALSE(parse_base32(bad, out));
    // Each byte in the place of a letter: the 32 of the alphabet and no other.
    int accepted = 0;
    for (int c = 0; c < 256; ++c) accepted += parse_base32(std::string(1, static_cast<char>(c)) + "zxq", out) ? 1 : 0;
    CHECK(accepted == 32);
}

TEST_CASE("a peer id of another length, letter or spare bit is refused with a text that says which") {
    const std::string good = known_identity().id().text();
    CHECK(PeerId::parse(good.substr(1)).error().code == Errc::key);
    CHECK(PeerId::parse(good + "a").error().detail.find("52") != std::string::npos);
    std::string bad = good;
    bad[3] = '1';
    CHECK_FALSE(PeerId::parse(bad));
    bad = good;
    bad[51] = static_cast<char>(bad[51] + 1);
    CHECK_FALSE(PeerId::parse(bad));
}

TEST_CASE("an id and its negative are one holder, with one X25519 key, and order does not see the sign") {
    SystemRng rng;
    const Identity a = Identity::generate(rng);
    const Identity b = Identity::generate(rng);
    PeerId negative = a.id();
    negative.bytes[31] ^= 0x80;
    CHECK_FALSE(negative == a.id());
    CHECK(same_holder(negative, a.id()));
    CHECK_FALSE(same_holder(a.id(), b.id()));
    CHECK(*negative.to_curve() == *a.id().to_curve());
    CHECK(compare_holders(negative, a.id()) == 0);
    CHECK(compare_holders(negative, b.id()) == compare_holders(a.id(), b.id()));
}

TEST_CASE("the X25519 key of the id is the public key of the X25519 secret, for 200 identities") {
    SystemRng rng;
    for (int i = 0; i < 200; ++i) {
        const Identity identity = Identity::generate(rng);
        REQUIRE(identity.id().to_curve());
        CHECK(*identity.id().to_curve() == identity.curve_point());
        CHECK(x25519_public(identity.curve_secret()) == identity.curve_point());
    }
}

TEST_CASE("ids of small order, off the curve or not canonical are no keys") {
    for (const char* hex : {"0100000000000000000000000000000000000000000000000000000000000000",  // the neutral element
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // order 2
                            "0000000000000000000000000000000000000000000000000000000000000000",  // order 4
                            "0000000000000000000000000000000000000000000000000000000000000080",
                            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  // order 8
                            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // y = p
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // y = p + 1
                            "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // y = p + 3
                            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                            "0200000000000000000000000000000000000000000000000000000000000000"}) {  // no point
        PeerId id;
        copy_bytes(id.bytes.data(), from_hex(hex));
        INFO(hex);
        const Result<CurvePoint> point = id.to_curve();
        REQUIRE_FALSE(point);
        CHECK(point.error().code == Errc::key);
    }
    // About half of all numbers are points, and of these one in eight lies in the subgroup.
    SeededRng rng(60);
    int accepted = 0;
    for (int i = 0; i < 4000; ++i) {
        PeerId id;
        rng.fill(id.bytes);
        accepted += id.to_curve() ? 1 : 0;
    }
    CHECK(accepted > 150);
    CHECK(accepted < 350);
}

TEST_CASE("a key file keeps the identity, is its owner's alone, and is never overwritten") {
    TemporaryDirectory directory;
    const std::string path = directory.file("a.key");
    const Identity identity = known_identity();
    const mode_t before = ::umask(0);
    REQUIRE(identity.save(path));
    ::umask(before);
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
    const Result<Identity> loaded = Identity::load(path);
    REQUIRE(loaded);
    CHECK(loaded->id() == identity.id());
    CHECK(identity.save(path).error().code == Errc::key_file);
    const std::string text = read_file(path);
    CHECK(text.starts_with("sealwire key 1\n"));
    CHECK(text.find(kSeedHex) != std::string::npos);
    CHECK(text.find(identity.id().text()) != std::string::npos);
}

TEST_CASE("a path with a zero byte is refused, not cut short") {
    SeededRng rng(77);
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/me.key";
    const std::string longer = path + std::string("\0.other", 7);
    const Identity identity = Identity::generate(rng);
    CHECK(identity.save(longer).error().code == Errc::argument);
    CHECK(Identity::load(path).error().code == Errc::key_file);  // nothing was made
    REQUIRE(identity.save(path));
    CHECK(Identity::load(longer).error().code == Errc::argument);
}

TEST_CASE("a key file that others can read is refused, with the command that mends it") {
    TemporaryDirectory directory;
    int refused = 0;
    for (const mode_t mode : {0640, 0604, 0660, 0644, 0610, 0601, 0620, 0602, 0777}) {
        const std::string path =
            directory.write("m" + std::to_string(mode), "sealwire key 1\n" + kSeedHex + "\n", mode);
        const Result<Identity> loaded = Identity::load(path);
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().code == Errc::key_file);
        CHECK(loaded.error().detail.find("chmod 600") != std::string::npos);
        ++refused;
    }
    CHECK(refused == 9);
    CHECK(Identity::load(directory.write("good", "sealwire key 1\n" + kSeedHex + "\n", 0400)));
}

TEST_CASE("comments, empty lines and CRLF are read over; anything else is no key file") {
    TemporaryDirectory directory;
    int number = 0;
    const auto load = [&](const std::string& text) {
        return Identity::load(directory.write("f" + std::to_string(number++), text));
    };
    CHECK(load("# one\nsealwire key 1\n# two\n\n" + kSeedHex + "\n# three\n"));
    CHECK(load("sealwire key 1\r\n" + kSeedHex + "\r\n"));
    CHECK(load("sealwire key 1\n" + kSeedHex));
    for (const std::string& bad :
         {std::string(), std::string("sealwire key 1\n"), "sealwire key 2\n" + kSeedHex + "\n", kSeedHex + "\n",
          "sealwire key 1\n" + kSeedHex.substr(1) + "\n", "sealwire key 1\n" + kSeedHex + "0\n",
          "sealwire key 1\n" + kSeedHex.substr(1) + "g\n", "sealwire key 1\n" + kSeedHex + "\n" + kSeedHex + "\n",
          "sealwire key 1\n" + std::string(5000, '#') + "\n" + kSeedHex + "\n"}) {
        INFO(bad.substr(0, 40));
        const Result<Identity> loaded = load(bad);
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().code == Errc::key_file);
    }
    CHECK(Identity::load(directory.path()).error().code == Errc::key_file);
    CHECK(Identity::load(directory.path() + "/none").error().code == Errc::key_file);
    const std::string fifo = directory.file("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(Identity::load(fifo).error().code == Errc::key_file);
    CHECK_FALSE(known_identity().save(directory.path() + "/none/a.key"));
}

TEST_CASE("secrets clear themselves when moved from and compare by value") {
    const std::array<uint8_t, 4> bytes{1, 2, 3, 4};
    Secret<4> a{std::span<const uint8_t, 4>(bytes)};
    Secret<4> b = a.clone();
    CHECK(a == b);
    Secret<4> c = std::move(a);
    CHECK(c == b);
    CHECK(a == Secret<4>());  // NOLINT(bugprone-use-after-move): what is left behind is the point
    b = std::move(c);
    CHECK(c == Secret<4>());  // NOLINT(bugprone-use-after-move)
    b.data()[3] = 0;
    CHECK_FALSE(b == Secret<4>{std::span<const uint8_t, 4>(bytes)});
    CHECK_FALSE(equal_secret(Bytes(bytes).first(3), bytes));
    CHECK(equal_secret({}, {}));
    static_assert(!std::is_copy_constructible_v<Secret<4>> && !std::is_copy_assignable_v<Secret<4>>);
}

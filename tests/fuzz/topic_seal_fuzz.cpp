// Any bytes as a message of a topic with a secret: as it comes, laid over honest ones, and as what a member seals that knows the secret; and
// any order of messages that were heard before.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "protocol/topic_heard.h"
#include "support/test_rng.h"

using namespace sealwire;

static void require(bool good) {
    if (!good) std::abort();
}

namespace {

using Block = std::vector<uint8_t>;

struct World {
    Secret<32> secret = make_secret();
    TopicSeal seal{secret, "news"};
    Secret<32> key = kdf(secret.bytes(), "topic seal");
    Identity alice = make(1);
    TopicNote note;
    Block honest;

    static Secret<32> make_secret() {
        test::SeededRng rng(9);
        Secret<32> made;
        rng.fill(made.mutable_bytes());
        return made;
    }
    static Identity make(uint64_t seed) {
        test::SeededRng rng(seed);
        return Identity::generate(rng);
    }
    World() {
        note.origin.fill(0xaa);
        note.number = 3;
        note.before = 2;
        note.time_ms = 1'795'000'000'000;
        note.type = 1;
        honest = sealed(as_bytes("an honest body"));
    }
    Block sealed(Bytes body) const {
        test::SeededRng rng(2);
        Block out(body.size() + TopicSeal::kCost);
        seal.seal(out.data(), note, body, alice, rng);
        return out;
    }
    Block outside(Bytes message) const {
        Block ad(seal.tag().begin(), seal.tag().end());
        ad.insert(ad.end(), message.begin(), message.begin() + 24);
        return ad;
    }
};

// In memory of exactly their sizes, where a byte too far is noticed.
struct Opening {
    std::unique_ptr<uint8_t[]> sealed, room;
    size_t size = 0;
    TopicSeal::Opened opened;
    bool good = false;

    Opening(const TopicSeal& seal, Bytes message)
        : sealed(new uint8_t[message.size()]),
          size(message.size() < TopicSeal::kClear + 16 ? 0 : message.size() - TopicSeal::kClear - 16) {
        room.reset(new uint8_t[size]);
        std::copy(message.begin(), message.end(), sealed.get());
        good = seal.open(room.get(), {sealed.get(), message.size()}, opened);
        if (!good) return;
        require(opened.body.data() == room.get() + TopicSeal::kNote && opened.body.size() == size - TopicSeal::kNote);
        require(opened.note.type <= 127 && opened.note.before <= opened.note.number);
    }
};

Block laid_over(Block honest, size_t from, Bytes input) {
    for (size_t i = 0; i < input.size(); ++i) honest[(from + i) % honest.size()] ^= input[i];
    return honest;
}

// What a member seals: opened when it is in its form, and nobody's unless that one has signed it.
void from_member(const World& world, size_t from, Bytes input) {
    const Block& honest = world.honest;
    Block plain(honest.size() - TopicSeal::kClear - 16);
    const Block ad = world.outside(honest);
    require(XChaCha20Poly1305::open(plain.data(), Bytes(honest).subspan(TopicSeal::kClear), ad, honest.data() + 24,
                                    world.key.data()));
    const Block said = from < 0x8000 ? laid_over(plain, from, input) : Block(input.begin(), input.end());
    Block message(TopicSeal::kClear + said.size() + 16);
    std::copy_n(honest.begin(), TopicSeal::kClear, message.begin());
    XChaCha20Poly1305::seal(message.data() + TopicSeal::kClear, said, ad, honest.data() + 24, world.key.data());
    Opening opening(world.seal, message);
    const bool whole = said.size() >= TopicSeal::kNote;
    Reader reader(said);
    reader.bytes(32 + 8);
    const uint64_t before = reader.le64();
    const uint8_t flags = reader.u8(), type = reader.u8();
    require(opening.good == (whole && before <= world.note.number && flags <= 1 && type <= 127));
    if (opening.good) require(world.seal.is_signed(opening.opened) == (said == plain));
}

// Six bytes a message: who, which origin, number, how old in seconds, bits: proved, last value; and how much later it comes.
void heard(Bytes steps) {
    test::SeededRng rng(5);
    TopicHeard heard(rng);
    std::map<std::pair<uint8_t, uint8_t>, uint64_t> highest;
    uint64_t now = 1'795'000'000'000;
    for (; steps.size() >= 6; steps = steps.subspan(6)) {
        TopicNote note;
        note.publisher.bytes.fill(steps[0]);
        note.origin.fill(steps[1]);
        note.number = steps[2];
        note.before = steps[2] / 2;
        note.time_ms = now - uint64_t{steps[3]} * 4'000;
        const bool proved = (steps[4] & 1) != 0, last = (steps[4] & 2) != 0;
        note.to_some = (steps[4] & 4) != 0;
        now += uint64_t{steps[5]} * 1'000;
        const auto known = highest.find({steps[0], steps[1]});
        const uint64_t age = now - note.time_ms;
        const bool fresh = known != highest.end() ? note.number > known->second : proved || age <= TopicHeard::kWindow;
        if (last) {
            heard.take_last(note, now);
        } else {
            require((heard.look(note, proved, now) == TopicHeard::Verdict::fresh) == fresh);
            const TopicHeard::Taken taken = heard.take(note, proved, now);
            require((taken.verdict == TopicHeard::Verdict::fresh) == fresh);
            require(taken.first == (fresh && known == highest.end()));
            require(taken.dropped <= note.before);
        }
        if (fresh || last) {
            uint64_t& most = highest[{steps[0], steps[1]}];
            most = std::max(most, note.number);
        }
        require(heard.look(note, proved, now) == TopicHeard::Verdict::replay ||
                (!fresh && !last && known == highest.end()));
        require(heard.size() == highest.size());
    }
}

}  // namespace

// First byte: what. The next two: where the change begins.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const World world;
    if (size < 3) return 0;
    const size_t from = data[1] | size_t{data[2]} << 8;
    const Bytes input(data + 3, size - 3);
    switch (data[0] % 4) {
        case 0:
            require(!Opening(world.seal, input).good ||
                    std::equal(input.begin(), input.end(), world.honest.begin(), world.honest.end()));
            break;
        case 1: {
            const Block message = laid_over(world.honest, from, input);
            Opening opening(world.seal, message);
            require(opening.good == (message == world.honest));
            if (opening.good) require(world.seal.is_signed(opening.opened));
            break;
        }
        case 2: from_member(world, from, input); break;
        default: {
            heard(input);
            const Block message = world.sealed(input);
            Opening opening(world.seal, message);
            require(opening.good && world.seal.is_signed(opening.opened));
            require(std::equal(input.begin(), input.end(), opening.opened.body.begin(), opening.opened.body.end()));
            require(!Opening(world.seal, Bytes(message).first(from % message.size())).good);
            break;
        }
    }
    return 0;
}

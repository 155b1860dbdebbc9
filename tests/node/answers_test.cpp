// Answers to requests that may be made again: run once, repeated, bounded; the time is an argument.
#include "node/answers.h"

#include <doctest.h>

namespace answers_test {

using namespace sealwire;
using Found = Answers::Found;

namespace {

struct Store {
    Answers answers;
    Answers::Answer answer;
    Time now = 0;
    uint64_t next = 1;

    static PeerId peer(uint8_t byte) {
        PeerId id;
        id.bytes.fill(byte);
        return id;
    }
    static std::array<uint8_t, kKeySize> key(uint32_t number) {
        std::array<uint8_t, kKeySize> out{};
        for (size_t i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(number >> 8 * i);
        return out;
    }
    Answers::Place place(uint64_t number) const { return {7, number}; }
    Found begin(uint32_t number, uint8_t of = 1, bool storable = true) {
        answer.reset();
        return answers.begin(peer(of), key(number), place(next++), storable, now, answer);
    }
    uint64_t last() const { return next - 1; }
    static Answers::Answer saying(std::string_view text, size_t bytes = 0) {
        StoredAnswer out;
        out.text = text;
        const std::vector<uint8_t> body(bytes);
        out.body = View::copy_of(body);
        return std::make_shared<const StoredAnswer>(std::move(out));
    }
    void run(uint32_t number, std::string_view text, size_t bytes = 0, uint8_t of = 1) {
        CHECK(begin(number, of) == Found::fresh);
        CHECK(answers.finish(place(last()), saying(text, bytes), now).places.empty());
    }
};

}  // namespace

TEST_CASE("a request that was answered is answered again, under its key and its peer") {
    Store store;
    store.run(1, "first");
    CHECK(store.begin(1) == Found::answer);
    CHECK(store.answer->text == "first");
    CHECK(store.begin(1) == Found::answer);
    CHECK(store.begin(2) == Found::fresh);
    CHECK(store.begin(1, 2) == Found::fresh);
}

TEST_CASE("one that comes while another runs waits for its answer") {
    Store store;
    CHECK(store.begin(1) == Found::fresh);
    const uint64_t first = store.last();
    CHECK(store.begin(1) == Found::runs);
    CHECK(store.begin(1) == Found::runs);
    const auto waiting = store.answers.finish(store.place(first), Store::saying("late"), 0).places;
    CHECK(waiting == std::vector{store.place(first + 1), store.place(first + 2)});
    CHECK(store.answers.finish(store.place(first), Store::saying("twice"), 0).places.empty());
    CHECK(store.begin(1) == Found::answer);
    CHECK(store.answer->text == "late");
}

TEST_CASE("one that waits and is cancelled waits no more, and is nothing that the application knows") {
    Store store;
    std::vector<Answers::Place> waited;
    CHECK(store.begin(1) == Found::fresh);
    CHECK(store.begin(1) == Found::runs);
    CHECK(store.answers.cut(store.place(2), 0, waited));
    CHECK_FALSE(store.answers.cut(store.place(2), 0, waited));
    CHECK(store.answers.finish(store.place(1), Store::saying("a"), 0).places.empty());
}

TEST_CASE("one that ended without an answer is not run again, and who waits for it is told") {
    Store store;
    std::vector<Answers::Place> waited;
    CHECK(store.begin(1) == Found::fresh);
    CHECK(store.begin(1) == Found::runs);
    CHECK_FALSE(store.answers.cut(store.place(1), 0, waited));
    CHECK(waited == std::vector{store.place(2)});
    CHECK(store.begin(1) == Found::gone);
    CHECK(store.answers.finish(store.place(1), Store::saying("too late"), 0).places.empty());
    CHECK(store.begin(1) == Found::gone);
}

TEST_CASE("answers of many replies and with parts are not kept, but their key is") {
    Store store;
    CHECK(store.begin(1, 1, false) == Found::fresh);
    store.answers.finish(store.place(1), Store::saying("one of many"), 0);
    CHECK(store.begin(1) == Found::gone);
    CHECK(store.begin(2) == Found::fresh);
    store.answers.finish(store.place(store.last()), nullptr, 0);
    CHECK(store.begin(2) == Found::gone);
    CHECK(store.answers.answers() == 0);
}

TEST_CASE("an answer is kept for 60 seconds and its key for 10 minutes") {
    Store store;
    store.run(1, "first");
    store.now = kAnswerTime - 1;
    CHECK(store.begin(1) == Found::answer);
    store.now = kAnswerTime;
    CHECK(store.begin(1) == Found::gone);
    CHECK(store.answers.bytes() == 0);
    store.now = kKeyTime - 1;
    CHECK(store.begin(1) == Found::gone);
    store.now = kKeyTime;
    CHECK(store.begin(1) == Found::fresh);
}

TEST_CASE("what runs for longer than that is known as long as it runs") {
    Store store;
    CHECK(store.begin(1) == Found::fresh);
    store.run(2, "behind it");
    store.now = 3 * kKeyTime;
    CHECK(store.begin(1) == Found::runs);
    CHECK(store.begin(2) == Found::fresh);
}

TEST_CASE("1,024 answers are kept, and the oldest goes first") {
    Store store;
    for (uint32_t i = 0; i < kMaxAnswers; ++i) store.run(i, "a");
    CHECK(store.begin(0) == Found::answer);
    store.run(5000, "one more");
    CHECK(store.answers.answers() == kMaxAnswers);
    CHECK(store.begin(0) == Found::gone);
    CHECK(store.begin(1) == Found::answer);
}

TEST_CASE("4 MiB are kept, and an answer that is larger alone never is") {
    Store store;
    for (uint32_t i = 0; i < 5; ++i) store.run(i, "", size_t{1} << 20);
    CHECK(store.answers.bytes() <= kMaxAnswerBytes);
    CHECK(store.begin(1) == Found::gone);
    CHECK(store.begin(4) == Found::answer);
    store.run(9, "", kMaxAnswerBytes);
    CHECK(store.begin(9) == Found::gone);
    CHECK(store.begin(4) == Found::answer);
}

TEST_CASE("a peer that uses many keys makes room by its own") {
    Store store;
    store.run(1, "of another", 0, 2);
    for (uint32_t i = 0; i < kMaxKeys + 100; ++i) {
        CHECK(store.begin(i) == Found::fresh);
        store.answers.finish(store.place(store.last()), nullptr, 0);
    }
    CHECK(store.answers.keys() == kMaxKeys);
    CHECK(store.begin(1, 2) != Found::fresh);
    CHECK(store.begin(0) == Found::fresh);  // it was the oldest
}

}  // namespace answers_test

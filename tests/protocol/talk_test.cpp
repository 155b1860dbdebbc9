// Conversations: either side asks on a request that runs; each question is answered once, or ends with its exchange.
#include <doctest.h>

#include "protocol/peers.h"

namespace talk_test {

using namespace sealwire;
using namespace sealwire::test;

namespace {

// Alice has a request open in which both may ask; bob has it as number 1 and has not answered.
class Talk {
public:
    explicit Talk(Expects expects = Expects::one, uint32_t total_ms = UINT32_MAX, bool converse = true) {
        pair.connect();
        OutMessage out = message("open");
        out.converse = converse;
        out.total_ms = total_ms;
        CHECK(pair.alice.outbox->request(out, expects, &pair.alice, number) == Errc::ok);
        pair.run();
    }
    Pair pair;
    uint64_t number = 0;

    Outbox& alice() { return *pair.alice.outbox; }
    Outbox& bob() { return *pair.bob.outbox; }
    // Gives the number of the question.
    uint64_t ask(bool from_alice, std::string_view body, Errc expected = Errc::ok) {
        uint64_t question = 99;
        const Errc errc = (from_alice ? alice() : bob()).ask(from_alice ? 0 : 1, message(body), nullptr, question);
        CHECK(errc == expected);
        pair.run();
        return question;
    }
    uint64_t answer(bool from_alice, uint64_t question, std::string_view body, bool asks = false,
                    Errc expected = Errc::ok) {
        uint64_t back = 99;
        const Errc errc = (from_alice ? alice() : bob())
                              .answer(from_alice ? 0 : 1, question, message(body), nullptr, asks ? &back : nullptr);
        CHECK(errc == expected);
        pair.run();
        return back;
    }
    void reply(std::string_view body = "reply", bool more = false) {
        OutMessage out = message(body);
        out.more = more;
        CHECK(bob().reply(1, out, nullptr) == Errc::ok);
        pair.run();
    }
    // Both ends are up, and know of nothing that runs.
    bool quiet() {
        pair.wait(kSecond);
        return !pair.alice.closed() && !pair.bob.closed() && alice().live_exchanges() == 0 &&
               bob().live_exchanges() == 0 && ConnectionTest::inbox(*pair.alice.connection).idle() &&
               ConnectionTest::inbox(*pair.bob.connection).idle();
    }
};

constexpr bool kAlice = true, kBob = false;

}  // namespace

TEST_CASE("the side that was asked asks back, and its questions and the reply each come once") {
    Talk talk;
    CHECK_FALSE(talk.pair.bob.event(EventKind::message).last);
    const uint64_t question = talk.ask(kBob, "which one?");
    const Seen& asked = talk.pair.alice.event(EventKind::question);
    CHECK(asked.body == "which one?");
    CHECK(asked.user == &talk.pair.alice);
    talk.answer(kAlice, asked.first, "the first");
    const Seen& answered = talk.pair.bob.event(EventKind::answer);
    CHECK(answered.first == question);
    CHECK(answered.body == "the first");
    CHECK(answered.errc == Errc::ok);
    CHECK_FALSE(answered.asks);
    talk.reply();
    CHECK(talk.pair.alice.event(EventKind::done).body == "reply");
    CHECK(talk.pair.alice.count(EventKind::done) == 1);
    CHECK(talk.quiet());
}

TEST_CASE("a dialogue goes on for as long as each answer asks in turn") {
    Talk talk(Expects::many);
    uint64_t open = talk.ask(kAlice, "0");
    bool alices = false;
    for (int turn = 1; turn <= 1'000; ++turn, alices = !alices) {
        End& end = alices ? talk.pair.alice : talk.pair.bob;
        const Seen& heard = end.events.back();
        const uint64_t question = turn == 1 ? heard.first : heard.last_number;
        CHECK(heard.body == std::to_string(turn - 1));
        const uint64_t next = talk.answer(alices, question, std::to_string(turn), true);
        const Seen& told = (alices ? talk.pair.bob : talk.pair.alice).events.back();
        CHECK(told.kind == EventKind::answer);
        CHECK(told.asks);
        CHECK(told.first == open);
        open = next;
    }
    talk.answer(kBob, talk.pair.bob.events.back().last_number, "enough");
    CHECK(talk.pair.alice.events.back().first == open);
    CHECK_FALSE(talk.pair.alice.events.back().asks);
    talk.reply("one", true);
    talk.reply("two");
    CHECK(talk.pair.alice.count(EventKind::reply) == 2);
    CHECK(talk.quiet());
}

TEST_CASE("a question is answered by a status too, from either side") {
    Talk talk;
    talk.ask(kBob, "?");
    CHECK(talk.alice().answer_status(0, talk.pair.alice.event(EventKind::question).first, 64, "no") == Errc::ok);
    talk.pair.run();
    const Seen& no = talk.pair.bob.event(EventKind::answer);
    CHECK(no.errc == Errc::status);
    CHECK(no.code == 64);
    CHECK(no.text == "no");
    CHECK_FALSE(no.has_body);
    talk.ask(kAlice, "?");
    const uint64_t asked = talk.pair.bob.event(EventKind::question).first;
    CHECK(talk.bob().answer_status(1, asked, 0, "") == Errc::ok);
    CHECK(talk.bob().answer_status(1, asked, 0, "") == Errc::handle);
    talk.answer(kBob, asked, "twice", false, Errc::handle);
    CHECK(talk.pair.alice.event(EventKind::answer).errc == Errc::ok);
    talk.reply();
    CHECK(talk.quiet());
}

TEST_CASE("sixteen dialogues of each side may be open, and an answer that asks takes no further place") {
    Talk talk;
    std::vector<uint64_t> open;
    for (uint32_t i = 0; i < kMaxQuestions; ++i) open.push_back(talk.ask(kAlice, "a"));
    talk.ask(kAlice, "too many", Errc::too_many);
    for (uint32_t i = 0; i < kMaxQuestions; ++i) talk.ask(kBob, "b");
    talk.ask(kBob, "too many", Errc::too_many);
    // All sixteen of alice's are answered by a question, and those by questions again.
    for (uint32_t i = 0; i < kMaxQuestions; ++i)
        talk.answer(kBob, talk.pair.bob.event(EventKind::question, i).first, "c", true);
    talk.ask(kAlice, "still too many", Errc::too_many);
    for (uint32_t i = 0; i < kMaxQuestions; ++i)
        talk.answer(kAlice, talk.pair.alice.event(EventKind::answer, i).last_number, "d", true);
    for (uint32_t i = 0; i < kMaxQuestions; ++i)
        talk.answer(kBob, talk.pair.bob.event(EventKind::answer, i).last_number, "e");
    talk.ask(kAlice, "there is room again");
    CHECK(talk.pair.alice.count(EventKind::answer) == 2 * kMaxQuestions);
    talk.reply();
    CHECK(talk.pair.bob.count(EventKind::answer) == 2 * kMaxQuestions);
    CHECK(talk.quiet());
}

TEST_CASE("the last reply ends the questions of both sides, each once and before the end of the exchange") {
    for (const bool user : {false, true}) {
        Talk talk;
        if (user) CHECK(talk.bob().set_user(1, &talk) == Errc::ok);
        const uint64_t hers = talk.ask(kAlice, "a");
        const uint64_t his = talk.ask(kBob, "b");
        const uint64_t question = talk.pair.alice.event(EventKind::question).first;
        talk.reply();
        CHECK(talk.pair.alice.count(EventKind::answer) == 1);
        CHECK(talk.pair.alice.event(EventKind::answer).errc == Errc::cancelled);
        CHECK(talk.pair.alice.event(EventKind::answer).first == hers);
        CHECK(talk.pair.alice.events.back().kind == EventKind::done);
        CHECK(talk.pair.bob.count(EventKind::answer) == 1);
        CHECK(talk.pair.bob.event(EventKind::answer).errc == Errc::cancelled);
        CHECK(talk.pair.bob.event(EventKind::answer).first == his);
        CHECK(talk.pair.bob.count(EventKind::done) == user);
        talk.answer(kAlice, question, "too late", false, Errc::handle);
        talk.ask(kBob, "after the end", Errc::handle);
        CHECK(talk.quiet());
    }
}

TEST_CASE("a cancel, a status and a deadline end the questions of both sides") {
    for (const int how : {0, 1, 2, 3}) {
        Talk talk(Expects::one, how == 3 ? 50 : UINT32_MAX);
        talk.ask(kAlice, "a");
        talk.ask(kBob, "b");
        if (how == 0) CHECK(talk.alice().cancel(0, 11) == Errc::ok);
        if (how == 1) CHECK(talk.bob().cancel(1, 11) == Errc::ok);
        if (how == 2) CHECK(talk.bob().status(1, 70, "no") == Errc::ok);
        talk.pair.wait(kSecond);
        for (End* end : {&talk.pair.alice, &talk.pair.bob}) {
            CHECK(end->count(EventKind::answer) == 1);
            CHECK(end->event(EventKind::answer).errc != Errc::ok);
        }
        CHECK(talk.pair.alice.count(EventKind::done) == 1);
        CHECK(talk.pair.alice.events.back().kind == EventKind::done);
        CHECK(talk.quiet());
    }
}

TEST_CASE("the end of the session ends questions: those that left are unknown, the others not sent") {
    Talk talk;
    const uint64_t sent = talk.ask(kBob, "left");
    uint64_t unsent = 0;
    talk.pair.bob.transport_full = true;
    CHECK(talk.bob().ask(1, message(pattern(100'000)), nullptr, unsent) == Errc::ok);
    talk.pair.bob.connection->transport_failed(talk.pair.now, {Errc::peer_lost, "cut"});
    talk.pair.bob.drive(talk.pair.now);
    CHECK(talk.pair.bob.count(EventKind::answer) == 2);
    for (const size_t i : {0, 1}) {
        const Seen& answer = talk.pair.bob.event(EventKind::answer, i);
        if (answer.first == sent) CHECK(answer.errc == Errc::outcome_unknown);
        else CHECK(answer.first == unsent);
    }
    CHECK(talk.pair.bob.events.back().kind == EventKind::closed);
}

TEST_CASE("an answer that crosses the last reply is dropped, and the slot is free again") {
    Talk talk;
    talk.ask(kBob, "b");
    const uint64_t question = talk.pair.alice.event(EventKind::question).first;
    CHECK(talk.bob().reply(1, message("reply"), nullptr) == Errc::ok);
    CHECK(talk.alice().answer(0, question, message(pattern(300'000)), nullptr, nullptr) == Errc::ok);
    talk.pair.run();
    CHECK(talk.pair.bob.event(EventKind::answer).errc == Errc::cancelled);
    CHECK(talk.pair.bob.count(EventKind::answer) == 1);
    CHECK(talk.quiet());
    for (int i = 0; i < 1'000; ++i) {  // more than there are slots
        uint64_t number = 0;
        OutMessage out = message("again");
        out.converse = true;
        CHECK(talk.alice().request(out, Expects::one, nullptr, number) == Errc::ok);
        talk.pair.run();
        CHECK(talk.bob().reply(number ^ 1, message("x"), nullptr) == Errc::ok);
        talk.pair.run();
    }
    CHECK(talk.pair.alice.count(EventKind::done) == 1'001);
}

TEST_CASE("questions and answers of any size, with parts, both ways") {
    for (const size_t size : {size_t{0}, kMaxFrameBody, size_t{60'000}, size_t{400'000}}) {
        Talk talk;
        const std::string body = pattern(size);
        const PartHead head{.name = "part"};
        for (const bool from : {kAlice, kBob}) {
            Outbox& outbox = from ? talk.alice() : talk.bob();
            uint64_t part = 0, question = 0;
            OutMessage out = message(body);
            out.parts = std::span(&head, 1);
            out.part_numbers = &part;
            CHECK(outbox.ask(from ? 0 : 1, out, nullptr, question) == Errc::ok);
            CHECK(outbox.write(from ? 0 : 1, part, {.bytes = as_bytes(std::string_view("bytes")), .end = true}) ==
                  Errc::ok);
            talk.pair.run();
            End& other = from ? talk.pair.bob : talk.pair.alice;
            const Seen asked = other.event(EventKind::question);
            CHECK(asked.body == body);
            REQUIRE(asked.parts.size() == 1);
            CHECK(other.outbox->read(asked.number, asked.parts[0].number, kEverything) == Errc::ok);
            talk.pair.run();
            CHECK(other.event(EventKind::part_data).body == "bytes");
            talk.answer(!from, asked.first, body);
            CHECK((from ? talk.pair.alice : talk.pair.bob).event(EventKind::answer).body == body);
        }
        talk.reply();
        CHECK(talk.quiet());
    }
}

TEST_CASE("an answer that passes a large question, which waits for its grant, leaves it its parts") {
    Talk talk;
    talk.ask(kAlice, "?");
    const uint64_t asked = talk.pair.bob.event(EventKind::question).first;
    const std::string body = pattern(400'000);
    const PartHead head{.name = "part"};
    uint64_t part = 0, question = 0;
    OutMessage out = message(body);
    out.parts = std::span(&head, 1);
    out.part_numbers = &part;
    CHECK(talk.bob().ask(1, out, nullptr, question) == Errc::ok);
    talk.pair.bob.drive(talk.pair.now);  // 64 KiB of it leave
    CHECK(talk.bob().answer(1, asked, message("short"), nullptr, nullptr) == Errc::ok);
    CHECK(talk.bob().write(1, part, {.bytes = as_bytes(std::string_view("bytes")), .end = true}) == Errc::ok);
    talk.pair.run();
    CHECK(talk.pair.alice.event(EventKind::answer).body == "short");
    const Seen large = talk.pair.alice.events.back();
    CHECK(large.kind == EventKind::question);  // it was passed
    CHECK(large.body == body);
    REQUIRE(large.parts.size() == 1);
    CHECK(talk.alice().read(0, large.parts[0].number, kEverything) == Errc::ok);
    talk.pair.run();
    CHECK(talk.pair.alice.event(EventKind::part_data).body == "bytes");
    talk.reply();
    CHECK(talk.quiet());
}

TEST_CASE("a question may be asked before the request has left, and waits for it") {
    Pair pair;
    pair.begin();
    const std::string body = pattern(200'000);
    OutMessage out = message(body);
    out.converse = true;
    uint64_t number = 0, question = 0;
    CHECK(pair.alice.outbox->request(out, Expects::one, nullptr, number) == Errc::ok);
    CHECK(pair.alice.outbox->ask(number, message("early"), nullptr, question) == Errc::ok);
    pair.run();
    CHECK(pair.bob.event(EventKind::message).body.size() == 200'000);
    CHECK(pair.bob.events.back().kind == EventKind::question);
    CHECK(pair.bob.outbox->reply(1, message("reply"), nullptr) == Errc::ok);
    pair.run();
    CHECK(pair.alice.event(EventKind::answer).errc == Errc::cancelled);
    CHECK(pair.alice.event(EventKind::done).body == "reply");
}

TEST_CASE("a request that comes together with its question and its cancel: none of it is heard of, nor the parts") {
    Pair pair;
    pair.connect();
    OutMessage out = message("too late");
    out.converse = true;
    uint64_t number = 0, question = 0, part = 0;
    CHECK(pair.alice.outbox->request(out, Expects::one, nullptr, number) == Errc::ok);
    const PartHead head{.name = "part"};
    OutMessage asked = message("which one?");
    asked.parts = std::span(&head, 1);
    asked.part_numbers = &part;
    CHECK(pair.alice.outbox->ask(number, asked, nullptr, question) == Errc::ok);
    pair.alice.drive(pair.now);  // all of it leaves
    CHECK(pair.alice.outbox->cancel(number, 11) == Errc::ok);
    const size_t before = pair.bob.events.size();
    pair.run();
    CHECK(pair.bob.events.size() == before);
    pair.wait(kSecond);
    CHECK(pair.bob.outbox->live_exchanges() == 0);
    CHECK(ConnectionTest::inbox(*pair.bob.connection).idle());
    CHECK_FALSE(pair.bob.closed());
}

TEST_CASE("nobody asks in an exchange that was not opened for it, nor the requester for a receipt") {
    Talk plain(Expects::one, UINT32_MAX, false);
    CHECK(plain.pair.bob.event(EventKind::message).last);
    plain.ask(kAlice, "?", Errc::state);
    plain.ask(kBob, "?", Errc::state);
    Talk talk;
    uint64_t question = 0;
    OutMessage out = message("?");
    out.receipt = true;
    CHECK(talk.alice().ask(0, out, nullptr, question) == Errc::argument);
    uint64_t receipt = 99;
    CHECK(talk.bob().ask(1, out, &receipt, question) == Errc::ok);
    talk.pair.run();
    CHECK(talk.pair.bob.event(EventKind::receipt).first == receipt);
    CHECK(talk.alice().ask(8, out, nullptr, question) == Errc::handle);
}

TEST_CASE("asking is charged and waits for credit, answers are not and pass what waits") {
    Talk talk(Expects::many);
    talk.pair.alice.takes = false;
    const std::string large = pattern(60'000);
    talk.ask(kAlice, "hers");
    OutMessage reply = message(large);
    reply.more = true;
    CHECK(talk.bob().reply(1, reply, nullptr) == Errc::ok);
    CHECK(talk.bob().reply(1, reply, nullptr) == Errc::ok);  // waits for credit
    talk.ask(kBob, "behind it");
    CHECK(talk.pair.alice.count(EventKind::question) == 0);
    talk.answer(kBob, talk.pair.bob.event(EventKind::question).first, large);
    CHECK(talk.pair.alice.event(EventKind::answer).body == large);
    talk.pair.alice.give_back(talk.pair.now);
    talk.pair.run();
    talk.pair.alice.give_back(talk.pair.now);
    talk.pair.run();
    CHECK(talk.pair.alice.count(EventKind::question) == 1);
}

TEST_CASE("a small question passes a large answer that waits for its grant") {
    Pair pair;
    pair.bob.config.limits.message = 300'000;
    pair.bob.config.limits.assembly = 600'000;
    pair.bob.takes = false;
    pair.connect();
    OutMessage out = message("open");
    out.converse = true;
    uint64_t number = 0, question = 0;
    CHECK(pair.alice.outbox->request(out, Expects::one, nullptr, number) == Errc::ok);
    pair.run();
    const std::string large = pattern(300'000);
    for (int i = 0; i < 3; ++i) {
        CHECK(pair.bob.outbox->ask(1, message("?"), nullptr, question) == Errc::ok);
        pair.run();
        const uint64_t asked = pair.alice.event(EventKind::question, static_cast<size_t>(i)).first;
        CHECK(pair.alice.outbox->answer(0, asked, message(large), nullptr, nullptr) == Errc::ok);
        pair.run();
    }
    CHECK(pair.bob.count(EventKind::answer) == 2);  // the third waits until the others are taken
    CHECK(pair.bob.count(EventKind::stalled) == 1);
    CHECK(pair.alice.outbox->ask(0, message("passes"), nullptr, question) == Errc::ok);
    pair.run();
    CHECK(pair.bob.events.back().body == "passes");
    pair.bob.give_back(pair.now);
    pair.run();
    CHECK(pair.bob.count(EventKind::answer) == 3);
}

TEST_CASE("who breaks the rules of conversations ends the session, or the exchange") {
    const auto hand_with_request = [](Hand& hand) {
        hand.features = feature::questions;
        hand.connect();
        OutMessage out = message("open");
        out.converse = true;
        uint64_t number = 0;
        CHECK(hand.end.outbox->request(out, Expects::one, nullptr, number) == Errc::ok);
        hand.drive();
    };
    const auto said = [](uint64_t flags, uint64_t answered = 0) {
        Frame frame{.kind = FrameKind::message, .flags = flags | message_flag::first | message_flag::last, .id = 0};
        frame.number = answered;
        return frame;
    };
    using namespace message_flag;
    for (const Frame& wrong : {said(asks | end), said(answers, 5), said(answers | asks, 0)}) {
        Hand hand(true);
        hand_with_request(hand);
        hand.send(wrong);
        CHECK(hand.closed_with() == static_cast<int>(WireCode::protocol));
    }
    {
        Hand hand(true);
        hand_with_request(hand);
        hand.send({.kind = FrameKind::status, .flags = status_flag::answers, .id = 0, .number = 3});
        CHECK(hand.closed_with() == static_cast<int>(WireCode::protocol));
    }
    {
        Hand hand(true);
        hand_with_request(hand);
        for (uint32_t i = 0; i < kMaxQuestions; ++i) hand.send(said(asks));
        CHECK(hand.closed_with() == -1);
        hand.send(said(asks));
        CHECK(hand.closed_with() == static_cast<int>(WireCode::flow));
    }
    {  // in an exchange that is no conversation: that one ends
        Hand hand(true);
        hand.features = feature::questions;
        hand.connect();
        uint64_t number = 0;
        CHECK(hand.end.outbox->request(message("open"), Expects::one, nullptr, number) == Errc::ok);
        hand.drive();
        hand.send(said(asks));
        CHECK(hand.end.event(EventKind::done).errc == Errc::protocol);
        CHECK(hand.closed_with() == -1);
    }
    {  // answered twice
        Hand hand(true);
        hand_with_request(hand);
        uint64_t question = 0;
        CHECK(hand.end.outbox->ask(0, message("?"), nullptr, question) == Errc::ok);
        hand.drive();
        hand.send(said(answers, 1));
        CHECK(hand.end.event(EventKind::answer).first == question);
        hand.send(said(answers, 1));
        CHECK(hand.closed_with() == static_cast<int>(WireCode::protocol));
    }
}

TEST_CASE("a peer that does not know conversations gets a plain request, and asking is unsupported") {
    Hand hand(true);
    hand.begin();
    OutMessage out = message("open");
    out.converse = true;
    uint64_t number = 0, question = 0;
    CHECK(hand.end.outbox->request(out, Expects::one, nullptr, number) == Errc::ok);
    hand.send(Hand::greeting(FrameKind::accept));
    CHECK(hand.frame(FrameKind::open).has(open_flag::end));
    const Errc errc = hand.end.outbox->ask(number, message("?"), nullptr, question);
    CHECK((errc == Errc::state || errc == Errc::unsupported));
}

}  // namespace talk_test

// Whole sessions that a seed makes, recorded as bytes, to be played again to one end alone in pieces of any size.
#pragma once

#include <algorithm>

#include "protocol/peers.h"

namespace sealwire::test {

// What an application does follows from the seed and from what it is told, so that a replay does it again.
class Script {
public:
    Script(uint64_t seed, unsigned steps, size_t largest) : seed_(seed), steps_(steps), largest_(largest) {}

    void play(End& end) {
        end.on_event = [this, left = steps_, asked = 0U, done = 0U](End& at, const Seen& seen) mutable {
            const bool asker = at.config.mac1_key == nullptr;
            if (seen.kind == EventKind::connected) {
                for (int i = 0; i < 3; ++i) command(at, asker, left--);
            } else if (seen.kind == EventKind::message) {
                ++asked;
                answer(at, seen);
            } else if (seen.kind == EventKind::done && seen.mine) {
                ++done;
                for (int i = 0; i < 2 && left > 0; ++i) command(at, asker, left--);
            } else {
                return;
            }
            // Both have said and heard all: a step is a one-way message and a request.
            if (asker && done == steps_ && asked == 2 * steps_) at.connection->close(0, 0, "all said", kNever);
        };
    }

private:
    uint64_t draw(uint64_t a, uint64_t b) const { return SeededRng(seed_ * 1'000'003 + a * 1'009 + b).next(); }

    std::string body(uint64_t dice) const {
        const bool large = largest_ > 200 && dice % 7 == 0;
        return pattern(static_cast<size_t>(dice / 7 % (large ? largest_ : 60)), static_cast<uint8_t>(dice));
    }
    void command(End& at, bool asker, uint64_t step) const {
        const uint64_t dice = draw(asker, step);
        const std::string text = body(dice / 100);
        OutMessage out = message(text, dice % 3 == 0 ? "other" : "route");
        out.type = static_cast<uint8_t>(dice % 5);
        out.receipt = dice % 2 == 0;
        uint64_t number = 0;
        at.outbox->send(out, nullptr);
        at.outbox->request(out, dice % 4 == 0 ? Expects::many : Expects::one, nullptr, number);
    }
    void answer(End& at, const Seen& seen) const {
        if (seen.expects == Expects::none) return;
        const uint64_t dice = draw(7, seen.number);
        const std::string text = body(dice / 100);
        OutMessage out = message(text);
        out.receipt = dice % 2 == 0;
        if (dice % 11 == 0) {
            at.outbox->status(seen.number, static_cast<uint32_t>(64 + dice % 100), "words");
        } else if (dice % 13 == 0) {
            at.outbox->cancel(seen.number, 11);
        } else {
            out.more = true;
            for (uint64_t i = 0; seen.expects == Expects::many && i < dice % 4; ++i)
                at.outbox->reply(seen.number, out, nullptr);
            out.more = false;
            at.outbox->reply(seen.number, out, nullptr);
        }
    }

    uint64_t seed_;
    unsigned steps_;
    size_t largest_;
};

struct Recorded {
    Script script;
    bool handshake;
    Block to[2];                    // to the initiator, to the responder
    std::vector<size_t> bursts[2];  // where each piece began: it may answer what was said after the one before
    std::vector<std::string> history[2];

    Recorded(uint64_t seed, unsigned steps, size_t largest, bool with_handshake = false)
        : script(seed, steps, largest), handshake(with_handshake) {
        Pair pair;
        script.play(pair.alice);
        script.play(pair.bob);
        if (handshake) pair.begin();
        else pair.begin_past_handshake();
        pair.wait(10 * kSecond);
        to[0] = pair.back, to[1] = pair.there;
        bursts[0] = pair.back_bursts, bursts[1] = pair.there_bursts;
        history[0] = history_of(pair.alice), history[1] = history_of(pair.bob);
        if (!pair.alice.closed() || !pair.bob.closed()) throw std::runtime_error("the recorded session did not end");
    }

    // An end that has received nothing yet.
    std::unique_ptr<End> fresh(bool initiator) {
        auto made = std::make_unique<End>(initiator, initiator ? 1 : 2);
        End& end = *made;
        script.play(end);
        end.begin(kStart);
        if (handshake) {
            if (initiator) end.connection->transport_connected(kStart);
        } else {
            ConnectionTest::past_handshake(*end.connection, kStart, keys_of(initiator));
        }
        end.drive(kStart);
        // How many bytes it sends follows from where it was cut (receipts in runs, SLOTS): so that what the recorded
        // bytes acknowledge was sent in any case, it has sent some more.
        for (int i = 0; i < 64; ++i) end.outbox->control({.kind = FrameKind::slots, .number = 256, .amount = 256});
        end.drive(kStart);
        return made;
    }

    // All events in order; receipts, whose ranges depend on what came together, one by one behind them.
    static std::vector<std::string> history_of(const End& end) {
        std::vector<std::string> lines;
        std::vector<std::string> receipts;
        for (const Seen& seen : end.events) {
            // Who was first with the last word: receipts joined into runs are fewer bytes to be acknowledged.
            const bool normal = seen.errc == Errc::ok || seen.errc == Errc::peer_closed;
            if (seen.kind == EventKind::closed && normal) lines.push_back("closed");
            else if (seen.kind != EventKind::receipt) lines.push_back(seen.line());
            // What the last CLOSE says that it has is an offset, and the replayed end's receipts may take more bytes.
            const bool settled = seen.kind == EventKind::receipt && seen.errc != Errc::not_sent;
            for (uint64_t i = seen.first; settled && seen.errc != Errc::outcome_unknown && i <= seen.last_number; ++i)
                receipts.push_back(std::to_string(i) + ":" + std::to_string(static_cast<int>(seen.errc)));
        }
        std::sort(receipts.begin(), receipts.end());
        lines.insert(lines.end(), receipts.begin(), receipts.end());
        return lines;
    }

    static constexpr Time kStart = 1'000'000;
};

}  // namespace sealwire::test

// sealwire pub: publishes messages to a topic, from the command line or line by line from standard input.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>

#include "body.h"
#include "command.h"
#include "drops.h"
#include "meeting.h"
#include "output.h"

namespace tool {
namespace {

constexpr size_t kMostBytes = 16U << 20;  // of a message
constexpr std::string_view kTooBig =
    "Nothing behind it was published. Send it in smaller pieces, or as a file by `sealwire push`.";

constexpr std::string_view kJoinHint =
    "Start `sealwire sub` or another subscriber, on this very topic, with the same secret and in this network; name "
    "hubs by --via; or wait longer by --timeout, or for fewer by --wait (0: publish also for nobody).";
constexpr std::string_view kSlowHint =
    "A member takes no messages, or too slowly. Wait longer by --timeout, or say by --slow what becomes of messages "
    "for such members.";

constexpr std::string_view kHubsHint =
    "It did not reach all of the hubs: another one may have passed it on. What `sub` tells says what is missing; sent "
    "again it may come twice.";

sw_slow slow_of(const Arguments& arguments) {
    const std::string name = arguments.value("--slow", "block");
    if (name == "block") return SW_SLOW_BLOCK;
    if (name == "drop-oldest") return SW_SLOW_DROP_OLDEST;
    if (name == "drop-newest") return SW_SLOW_DROP_NEWEST;
    if (name == "disconnect") return SW_SLOW_DISCONNECT;
    throw UsageError("--slow is block, drop-oldest, drop-newest or disconnect, not '" + name + "'");
}

// `unknown`: messages that have left, and were not acknowledged.
std::string undelivered(uint64_t missing, uint64_t unknown) {
    std::string out = missing > 0 ? messages(missing) + " did not reach a member" : "";
    if (missing > 0 && unknown > 0) out += ", ";
    return unknown == 0 ? out : out + messages(unknown) + " may not have reached " + (missing > 0 ? "one" : "a member");
}

class Pub {
public:
    Pub(const Arguments& arguments, std::string name)
        : arguments_(arguments),
          name_(std::move(name)),
          json_(arguments.json()),
          keep_(arguments.has("--keep")),
          slow_(slow_of(arguments)),
          via_(arguments.has("--via")),
          patient_(arguments.has("--listen") || arguments.has("--via") || arguments.has("--wait")),
          need_(need_of(arguments)),
          timeout_ms_(arguments.duration_ms("--timeout", SW_NEVER)),
          secret_(topic_secret_of(arguments)),
          meeting_(arguments, Meeting::Part::publisher,
                   [this](sealwire::peer peer, const sw_event_closed& event) { on_closed(peer, event); }) {}

    int run(const std::vector<Body>& bodies) {
        if (const int failed = meeting_.connect(arguments_)) return failed;
        sealwire::topic_options options;
        options.slow = slow_;
        options.publish_only = true;
        options.keep_last = keep_;
        options.secret = secret_;
        options.on_writable = [this](sealwire::topic) { writable_ = true; };
        options.on_dropped = [this](sealwire::topic, sw_peer peer, const sw_event_topic& about) {
            dropped_[peer.value] += about.count;
            drops_.add(peer, about);
        };
        options.on_member_joined = [this](sealwire::topic, const sealwire::topic_member& member) {
            if (!member.publisher) ++members_;
            last_ones_.erase(member.peer.value);
        };
        options.on_member_left = [this](sealwire::topic, const sealwire::topic_member& member) {
            drops_.end(member.peer);
            if (member.publisher || --members_ > 0) return;
            last_ones_.insert(member.peer.value);
            if (reads_ && need_ > 0 && !json_) std::fprintf(stderr, "Nobody is left in %s.\n", name_.c_str());
        };
        if (const int failed = meeting_.join(name_, std::move(options), topic_, timeout_ms_)) return failed;
        if (const int failed = meeting_.listen(arguments_)) return failed;
        int status = gather(need_);
        for (size_t i = 0; status == kDone && i < bodies.size(); ++i) status = publish(bodies[i].bytes, bodies[i].type);
        if (status == kDone && bodies.empty()) status = publish_input();
        if (status == kDone && keep_) status = stay();
        return finish(status);
    }

private:
    // How many are to be there before anything is published; 0: it does not matter.
    static uint32_t need_of(const Arguments& arguments) {
        return arguments.number("--wait", arguments.has("--keep") ? 0 : 1, 1'000'000, 0);
    }

    // ---- Publishing ----

    uint32_t present() const {
        uint32_t count = 0;
        for (const sealwire::topic_member& member : topic_.members()) count += member.publisher ? 0 : 1;
        return count;
    }

    // Those who are there take nothing more: they are closing.
    int gather_again() {
        constexpr uint32_t kWait = 50;  // ms
        const uint32_t there = present();
        const Meeting::Until until = run_until([&] { return present() != there; }, kWait);
        if (until != Meeting::Until::over && until != Meeting::Until::late) return meeting_.explain(until);
        return gather(1);
    }

    // Waits until so many members are there.
    int gather(uint32_t need) {
        const uint32_t there = present();
        if (there >= need) return kDone;
        if (meeting_.ended()) return meeting_.explain(Meeting::Until::ended);
        if (!patient_) return nobody();
        if (!json_) {
            const bool connects = arguments_.has("--connect");
            std::fprintf(stderr, "Waiting for %u to join %s%s.\n", need - there, name_.c_str(),
                         connects ? "; a hub counts if --via names it" : "");
        }
        const Meeting::Until until = run_until([&] { return present() >= need; }, timeout_ms_);
        const std::string waited = std::to_string(present()) + " of " + std::to_string(need) + " have joined " + name_;
        return meeting_.explain(until, waited, kJoinHint);
    }

    int nobody() const {
        const bool lost = published_ > 0;
        const std::string text =
            lost ? "all have left " + name_ + " after " + messages(published_) : "nobody has joined " + name_;
        const Exit exit = lost ? kLost : kFailed;
        const char* const hint =
            "subscribe first, or wait for it with --wait 1; --wait 0 publishes nevertheless; a hub has to be named by "
            "--via";
        return explain_own(exit, "no_members", text, hint, json_);
    }

    // Waits while members are slow, and while there are none: what is published to nobody counts all the same, and at a hub that
    // comes back it would be missed.
    int publish(std::string_view bytes, sw_body_type type) {
        for (;;) {
            if (meeting_.names_no_hub()) return meeting_.explain(Meeting::Until::ended);
            if (via_ && need_ > 0 && present() == 0) {
                if (const int failed = gather(1)) return failed;
            }
            uint64_t members = 0;
            writable_ = false;
            bool taken = false;
            try {
                taken = topic_.try_publish(bytes, type, &members);
            } catch (const sealwire::error& error) {
                const bool large = error.code() == SW_ERR_TOO_BIG;
                const std::string where = "message " + std::to_string(published_ + 1);
                return tool::explain({.result = error.code(),
                                      .detail = large ? too_big() : error.detail(),
                                      .where = where,
                                      .hint = large ? kTooBig : ""},
                                     json_);
            }
            int failed = kDone;
            if (!taken) failed = wait_for_room();
            else if (members == 0 && need_ > 0) failed = gather_again();
            else return ++published_, bytes_ += bytes.size(), kDone;
            if (failed) return failed;
        }
    }

    const char* too_big() const {
        return secret_.empty() ? "a message has at most 16 MiB"
                               : "a message has at most 16 MiB, less 178 bytes that a topic with a secret takes";
    }

    int wait_for_room() {
        const Meeting::Until until = run_until([this] { return writable_; }, timeout_ms_);
        return meeting_.explain(until, "message " + std::to_string(published_ + 1) + " waits for a slow member",
                                kSlowHint);
    }

    int publish_input() {
        const char end = arguments_.has("--null") ? '\0' : '\n';
        std::string buffer;
        size_t begin = 0, looked = 0;  // of the message that is next, and how far its end was looked for
        char block[65536];
        for (;;) {
            const size_t at = buffer.find(end, looked);
            if (at != std::string::npos) {
                if (const int failed = publish_line({buffer.data() + begin, at - begin})) return failed;
                begin = looked = at + 1;
                continue;
            }
            buffer.erase(0, begin);
            begin = 0;
            looked = buffer.size();
            if (looked > kMostBytes) return publish_line(buffer);  // which fails
            // That all have gone matters once there is something to publish.
            Session& session = meeting_.session();
            reads_ = true;
            const Meeting::Until until = run_until([] { return false; }, SW_NEVER, STDIN_FILENO);
            if (until == Meeting::Until::ended)
                session.run_until([&] { return session.interrupted(); }, SW_NEVER, STDIN_FILENO);
            reads_ = false;
            if (session.interrupted()) return meeting_.explain(Meeting::Until::interrupted);
            const ssize_t size = read(STDIN_FILENO, block, sizeof block);
            if (size == 0) return buffer.empty() ? kDone : publish_line(buffer);
            if (size > 0) buffer.append(block, static_cast<size_t>(size));
            else if (errno != EINTR && errno != EAGAIN) {
                const std::string detail = std::string("standard input: ") + std::strerror(errno);
                return tool::explain({.result = SW_ERR_SYSTEM, .detail = detail}, json_);
            }
        }
    }
    int publish_line(std::string_view line) { return publish(line, type_of(arguments_, line)); }

    // As that of Meeting; what was dropped is told meanwhile.
    Meeting::Until run_until(const std::function<bool()>& over, uint32_t timeout_ms = SW_NEVER, int input = -1) {
        const auto end = Drops::Clock::now() + std::chrono::milliseconds(timeout_ms);
        for (;;) {
            drops_.tell_due();
            const Drops::Clock::time_point due = drops_.next();
            const uint32_t left = timeout_ms == SW_NEVER ? SW_NEVER : left_until(end);
            bool through = false;
            const auto stop = [&] { return (through = over()) || drops_.next() < due; };
            const Meeting::Until until = meeting_.run_until(stop, std::min(left, left_until(due)), input);
            if (through) return Meeting::Until::over;
            const bool only_drops =
                until == Meeting::Until::over || (until == Meeting::Until::late && left_until(due) < left);
            if (!only_drops) return until;
        }
    }

    // For those who come later.
    int stay() {
        const Meeting::Until until = run_until([] { return false; });
        return until == Meeting::Until::interrupted ? kDone : meeting_.explain(until);
    }

    // ---- What becomes of it ----

    // People are told in the end.
    void tell_dropped(const sealwire::peer_id& id, uint64_t count, uint64_t bytes) const {
        if (!json_) return;
        Json()
            .text("event", "dropped")
            .text("topic", name_)
            .text("peer", id.text())
            .number("messages", static_cast<int64_t>(count))
            .number("bytes", static_cast<int64_t>(bytes))
            .print();
    }

    void on_closed(sealwire::peer peer, const sw_event_closed& event) {
        drops_.end(peer.raw());
        const uint64_t lost = event.not_sent + event.outcome_unknown;
        // What the last who was there has not got nobody has; at the end, when none of them has got all.
        const bool left_nobody = last_ones_.erase(peer.raw().value) > 0;
        const bool last = lost > 0 && (closing_ ? ++short_ >= at_the_end_ : left_nobody);
        if (event.result == SW_ERR_SLOW) return;  // cut off as --slow says, which is told as dropped
        uint64_t& dropped = dropped_[peer.raw().value];
        if (!closing_) dropped -= std::min(dropped, lost);  // it was told of these as well
        if (event.result != SW_ERR_PEER_CLOSED || event.code != 0 || last) {
            not_sent_ += event.not_sent;
            unknown_ += event.outcome_unknown;
        } else if (lost > 0 && !json_) {  // by its own wish
            std::fprintf(stderr, "%s has left before %s came\n", short_id(event.id).c_str(), messages(lost).c_str());
        }
    }

    // Ends in good order, for which members have to take what waits for them.
    int finish(int status) {
        at_the_end_ = present();
        closing_ = true;
        meeting_.dial_no_more();
        Session& session = meeting_.session();
        if (!session.interrupted()) {
            session.node().shutdown(timeout_ms_);
            while (!meeting_.closed() && !session.interrupted()) {
                drops_.tell_due();
                const Drops::Clock::time_point due = drops_.next();
                session.run_until([&] { return meeting_.closed() || drops_.next() < due; }, left_until(due));
            }
            if (!meeting_.closed()) {
                if (status == kDone) status = meeting_.explain(Meeting::Until::interrupted);
                session.node().close(1);
            }
        }
        session.node().close();
        return account(status);
    }

    // Sums up. What has not come is an error of its own where `status` is none.
    int account(int status) {
        drops_.end_all();
        uint64_t dropped = 0;
        for (const auto& [peer, count] : dropped_) dropped += count;
        const uint64_t lost = not_sent_ + unknown_;
        // Who drops for slow members is only told of it.
        const bool failed = status == kDone && (lost > 0 || (dropped > 0 && slow_ == SW_SLOW_BLOCK));
        if (json_) {
            Json object;
            object.text("event", "published").text("topic", name_).number("messages", static_cast<int64_t>(published_));
            object.number("bytes", static_cast<int64_t>(bytes_)).number("dropped", static_cast<int64_t>(dropped));
            object.number("not_delivered", static_cast<int64_t>(lost)).print();
        } else {
            if (published_ > 0)
                std::fprintf(stderr, "Published %s to %s.\n", messages(published_).c_str(), name_.c_str());
            if (!failed && dropped + lost > 0)  // else the error says it
                std::fprintf(stderr, "%s.\n", undelivered(dropped + not_sent_, unknown_).c_str());
        }
        if (!failed) return status;
        const sw_result why = meeting_.late()           ? SW_ERR_TIMEOUT
                              : not_sent_ + dropped > 0 ? SW_ERR_NOT_SENT
                                                        : SW_ERR_OUTCOME_UNKNOWN;
        const std::string detail = undelivered(not_sent_ + dropped, unknown_);
        const bool hubs = arguments_.all("--via").size() > 1;
        const std::string_view hint = why == SW_ERR_TIMEOUT ? kSlowHint : hubs ? kHubsHint : "";
        return tool::explain({.result = why, .detail = detail, .hint = hint}, json_);
    }

    const Arguments& arguments_;
    const std::string name_;
    const bool json_, keep_;
    const sw_slow slow_;
    const bool via_, patient_;
    const uint32_t need_, timeout_ms_;
    const std::string secret_;
    uint64_t published_ = 0, bytes_ = 0;
    uint64_t not_sent_ = 0, unknown_ = 0;
    uint32_t at_the_end_ = 0, short_ = 0;   // members; those of them that have not got all
    uint32_t members_ = 0;                  // as events tell, which may be behind
    std::set<uint64_t> last_ones_;          // peers after whose leaving nobody was left
    std::map<uint64_t, uint64_t> dropped_;  // by peer
    Drops drops_{[this](const auto& id, uint64_t count, uint64_t bytes) { tell_dropped(id, count, bytes); }};
    bool writable_ = false, closing_ = false;
    bool reads_ = false;  // it waits for what to publish
    sealwire::topic topic_;
    Meeting meeting_;
};

int run_pub(const Arguments& arguments) {
    const std::string& name = checked_topic(arguments.need(0, "topic"));
    std::vector<Body> bodies;
    for (size_t i = 1; i < arguments.positional().size(); ++i) bodies.emplace_back(arguments, i);
    type_of(arguments, "");  // a --type that is none
    return Pub(arguments, name).run(bodies);
}

}  // namespace

const Command kPub{
    "pub",
    "TOPIC [MESSAGE...]",
    "publish messages to a topic",
    "Publishes each MESSAGE, or else each line of standard input, to all who have joined TOPIC among the peers\n"
    "that it connects to (--connect, --via) and those that connect to it (--listen). MESSAGE is the text itself,\n"
    "@FILE for the content of a file, - for the whole of standard input, @@TEXT for a text that begins with one @;\n"
    "write -- before one that begins with a minus. With the first that has more than 16 MiB it ends. Else it ends\n"
    "when the members have got all, and fails if they have not, or if there are none: with --listen, --via or --wait\n"
    "it waits for them. A hub (--via) is one member while somebody listens behind it.",
    with_topic_options(
        {{"--wait", "N", "publish once so many have joined (1), a hub being one; 0: also for nobody"},
         {"--slow", "POLICY", "of slow members: block, drop-oldest, drop-newest or disconnect (block)"},
         {"--keep", "", "keep the last message for who joins later with `sub --last`, until interrupted"},
         {"--timeout", "SECONDS", "how long to wait for members: to join, to take messages, and at the end"},
         {"--null", "", "messages of standard input end with a zero byte, not a newline"},
         kTypeOption}),
    run_pub};

}  // namespace tool

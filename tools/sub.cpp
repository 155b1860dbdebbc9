// sealwire sub: joins topics and prints what is published to them.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "command.h"
#include "meeting.h"
#include "output.h"

namespace tool {
namespace {

class Sub {
public:
    explicit Sub(const Arguments& arguments)
        : json_(arguments.json()),
          raw_(arguments.has("--raw")),
          from_(arguments.has("--from") || arguments.positional().size() > 1),
          last_(arguments.has("--last")),
          end_(arguments.has("--null") ? '\0' : '\n'),
          readable_(isatty(STDOUT_FILENO) && !raw_),
          count_(arguments.number("--count", 0, 1'000'000'000)),
          secret_(topic_secret_of(arguments)),
          meeting_(arguments, Meeting::Part::subscriber) {}

    int run(const Arguments& arguments) {
        if (const int failed = meeting_.connect(arguments)) return failed;
        for (const std::string& name : arguments.positional()) {
            sealwire::topic_options options;
            options.want_last = last_;
            options.secret = secret_;
            options.on_message = [this](const sealwire::topic_message& message) { on_message(message); };
            sealwire::topic topic;
            if (const int failed = meeting_.join(name, std::move(options), topic, SW_NEVER, [this] { return over(); }))
                return ended(failed);
            if (over()) return ended(kDone);
        }
        meeting_.hint_at_hubs();
        if (const int failed = meeting_.listen(arguments)) return ended(failed);
        const Meeting::Until until = meeting_.run_until([this] { return over(); });
        if (over()) return ended(kDone);
        if (count_ > 0) return ended(meeting_.explain(until));
        // It goes on until it is interrupted, or all whom it has connected to have gone.
        const bool in_order = until == Meeting::Until::interrupted || meeting_.ended_in_order();
        return ended(in_order ? kDone : meeting_.explain(until));
    }

private:
    bool over() const { return unwritten() || got_all(); }
    bool got_all() const { return count_ > 0 && got_ == count_; }
    // Nothing more can be written, and that is not for an interrupt.
    bool unwritten() const {
        const Session& session = meeting_.session();
        return session.broken() && !session.interrupted();
    }

    int ended(int status) {
        meeting_.dial_no_more();
        if (got_all()) meeting_.session().node().close();  // it wants no more
        else meeting_.close();
        if (unwritten()) return meeting_.session().broken_status();
        if (json_ && status == kDone) Json().text("event", "stopped").print();
        return status;
    }

    void on_message(const sealwire::topic_message& message) {
        if (got_all() || stuck_) return;
        if (message.dropped() > 0 && !json_) {
            std::fprintf(stderr, "%s of %s to %s did not come\n", messages(message.dropped()).c_str(),
                         short_id(message.id()).c_str(), std::string(message.name()).c_str());
        }
        // While it is not written the message is not taken, which its publisher heeds. What has come before an interrupt is written.
        if (meeting_.session().write(STDOUT_FILENO, json_ ? json_of(message) : text_of(message))) ++got_;
        else stop();
    }

    // What comes from here on would be taken and not written.
    void stop() {
        stuck_ = true;
        meeting_.hang_up(1);
    }

    static std::string json_of(const sealwire::topic_message& message) {
        return Json()
            .text("event", "message")
            .text("topic", message.name())
            .text("peer", message.id().text())
            .number("number", static_cast<int64_t>(message.number()))
            .number("dropped", static_cast<int64_t>(message.dropped()))
            .flag("last", message.last_value())
            .flag("passed_on", message.passed_on())
            .body(message.body(), message.type())
            .line();
    }

    std::string text_of(const sealwire::topic_message& message) const {
        std::string line;
        // Without a secret nobody proves who has published what a hub passed on.
        const char* const by = message.passed_on() && secret_.empty() ? " via " : " ";
        if (from_ && !raw_) line = std::string(message.name()) + by + short_id(message.id()) + ": ";
        line += readable_ ? printable(message.body(), SIZE_MAX) : std::string(message.body());
        if (!raw_) line += end_;
        return line;
    }

    const bool json_, raw_, from_, last_;
    const char end_;
    const bool readable_;  // a terminal gets no control characters of others
    const uint32_t count_;
    const std::string secret_;  // of all its topics
    uint32_t got_ = 0;
    bool stuck_ = false;  // a message could not be written
    Meeting meeting_;
};

int run_sub(const Arguments& arguments) {
    arguments.need(0, "topic");
    const std::vector<std::string>& names = arguments.positional();
    for (auto name = names.begin(); name != names.end(); ++name) {
        if (std::find(names.begin(), name, checked_topic(*name)) != name) {
            throw UsageError("the topic " + *name + " is given twice");
        }
    }
    if (arguments.has("--raw") && arguments.has("--null")) throw UsageError("--raw and --null cannot both be given");
    return Sub(arguments).run(arguments);
}

}  // namespace

const Command kSub{
    "sub",
    "TOPIC...",
    "print what is published to topics",
    "Joins each TOPIC at the peers that it connects to (--connect, --via) and those that connect to it (--listen),\n"
    "and prints what they publish, a message on a line; with several topics behind its topic and its publisher's\n"
    "id. What comes was published by the peer at the other end, or passed on by a hub that --via names, and with\n"
    "--secret-file by whom has signed it. Messages that did not come, as this end was too slow for a publisher\n"
    "that drops, are told on standard error. It ends, with exit status 0, on SIGINT, SIGTERM and SIGHUP, when all\n"
    "that it has connected to have closed and nobody can come, and when nobody reads its output any more. A peer\n"
    "that was started anew is dialled again, for --lease, and so is a hub that has closed.",
    with_topic_options({{"--count", "N", "end after so many messages"},
                        {"--last", "", "print first what was published last, of publishers that keep it"},
                        {"--from", "", "before each message: its topic and who published it"},
                        {"--null", "", "end messages with a zero byte in place of a newline"},
                        {"--raw", "", "add nothing to the bodies, not even a newline"}}),
    run_sub};

}  // namespace tool

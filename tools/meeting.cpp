// A node among several peers: dials, listens, and tells who is there.
#include "meeting.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>

#include "access.h"
#include "named_file.h"
#include "output.h"

namespace tool {

std::vector<Option> with_topic_options(std::vector<Option> own) {
    own.push_back({"--connect", "TICKET", "a peer to connect to; may be given several times"});
    own.push_back(
        {"--via", "TICKET", "the same, a hub that is trusted to pass on messages (see `sealwire hub`); likewise"});
    own.push_back({"--secret-file", "FILE", "the topic's secret (see `sealwire secret`): who has none reads nothing"});
    return with_meeting_options(std::move(own));
}

std::vector<Option> with_meeting_options(std::vector<Option> own) {
    own.push_back({"--listen", "ADDRESS",
                   "where others connect to, with --allow, --allow-file or --anyone; may be given several times"});
    own.push_back({"--verbose", "", "tell on standard error who comes and goes"});
    own = with_node_options(std::move(own), true);
    own.push_back({"--tls-client-ca", "FILE", "of --listen: who connects needs a certificate of this CA"});
    return with_access_options(std::move(own));
}

std::string checked_topic(const std::string& name) {
    if (!name.empty() && name.size() <= SW_TOPIC_NAME_MAX && is_utf8(name)) return name;
    throw UsageError("a topic is 1 to " + std::to_string(SW_TOPIC_NAME_MAX) + " bytes of UTF-8");
}

std::string topic_secret_of(const Arguments& arguments) {
    const std::string option = "--secret-file";
    if (!arguments.has(option)) return {};
    const std::string path = arguments.value(option);
    constexpr size_t kMost = 4096;
    const OptionFile file = read_option_file(option, path, kMost);
    std::string text = file.text();
    naming(option + " " + path, [&] { sealwire::check_topic_secret(text); });
    check_secret_mode(option, path, file.mode, Readers::owner);
    return text;
}

namespace {

// Not an id.
bool is_ticket(std::string_view text) { return text.find('#') != text.npos; }

}  // namespace

Meeting::Meeting(const Arguments& arguments, Part part, ClosedFn on_closed)
    : part_(part),
      json_(arguments.json()),
      verbose_(arguments.has("--verbose")),
      listens_(arguments.has("--listen")),
      lease_(arguments.value("--lease") == "0" ? 0 : arguments.duration_ms("--lease", 60'000)),
      dial_options_(arguments),
      told_closed_(std::move(on_closed)),
      session_(arguments, handlers(arguments)) {
    std::signal(SIGPIPE, SIG_IGN);  // who reads the output may go: that is told by what is written
}

sealwire::node_options Meeting::handlers(const Arguments& arguments) {
    if (!listens_ && !arguments.has("--connect") && !arguments.has("--via")) {
        throw UsageError(
            "say where the others are: --connect TICKET, --via TICKET of a hub, or --listen ADDRESS for them to come");
    }
    if (!listens_) check_no_access(arguments);
    sealwire::node_options options;
    if (listens_) {
        check_access(arguments);
        set_access(arguments, options);
    }
    name_hubs(arguments, options);
    options.on_log = [this](const sw_event_log& event) {
        // That a peer is no hub is told by no event. A peer may refuse this node with the same code.
        const bool no_hub = event.result == SW_ERR_UNSUPPORTED &&
                            sealwire::view_of(event.text).rfind("the peer is named as a hub here", 0) == 0;
        if (no_hub && part_ != Part::hub) no_hub_ = sealwire::view_of(event.peer);
        on_log(event);
    };
    options.limits.log_level = SW_LOG_WARNING;
    options.on_listening = [this](const sw_event_listening& event) {
        ++listening_;
        if (json_) return print_listening(event, session_.node().id());
        const std::string ticket(sealwire::view_of(event.ticket));
        std::fprintf(stderr, "Listening%s: %s\n", host_words(ticket).c_str(), ticket.c_str());
    };
    options.on_connected = [this](sealwire::peer peer, const sw_event_connected& event) { on_connected(peer, event); };
    options.on_closed = [this](sealwire::peer peer, const sw_event_closed& event) { on_closed(peer, event); };
    options.on_link = [this](sealwire::peer peer, sw_event_type type, const sw_event_link& event) {
        on_link(peer, type, event);
    };
    options.on_event = [this](const sw_event& event) { on_event(event); };
    return options;
}

void Meeting::name_hubs(const Arguments& arguments, sealwire::node_options& options) {
    for (const char* const option : {"--via", "--hub"}) {
        for (const std::string& text : arguments.all(option)) {
            naming(option + (" " + text), [&] {
                const bool id = part_ == Part::hub && !is_ticket(text);
                options.hubs.push_back(id ? sealwire::peer_id(text) : sealwire::ticket::parse(text).id);
            });
        }
    }
    options.hub = part_ == Part::hub;
    options.limits.topics_per_peer = arguments.number("--topics-per-peer", 0, 1'048'576);
    if (!options.hubs.empty()) options.limits.several_sessions = 1;  // with a hub, whose peers may share a key file
}

// Where nobody comes only what is about hubs, and that what was published is not taken: all else is told by events.
void Meeting::on_log(const sw_event_log& event) const {
    const std::string_view text = sealwire::view_of(event.text);
    const bool of_topics = text.rfind("a message of ", 0) == 0 || text.rfind("the peer is a hub ", 0) == 0;
    if (listens_ || of_topics) print_log(event, json_);
}

Again Meeting::again_of(std::string_view option) const {
    if (part_ == Part::hub) return Again::always;
    if (lease_.count() == 0) return Again::never;
    if (option == "--via") return Again::closed;
    return part_ == Part::subscriber ? Again::anew : Again::never;
}

void Meeting::dial(const Arguments& arguments) {
    for (const char* const option : {"--connect", "--via", "--hub"}) {
        for (const std::string& ticket : arguments.all(option)) {
            if (part_ == Part::hub && !is_ticket(ticket)) {
                say("waits_for", sealwire::peer_id(ticket), "has to connect by itself, as no ticket is given", true);
                continue;
            }
            const sealwire::peer peer = connect_by_option(session_.node(), option, ticket, dial_options_.options);
            const bool via = option != std::string_view("--connect");
            dials_.push_back({again_of(option), via, ticket, sealwire::ticket::parse(ticket).id, peer});
        }
    }
    alive_ = dials_.size();
    dialled_all_ = true;
}

// A hub that is not named as one may not join here, and nothing else tells it from a peer that has not joined yet.
void Meeting::hint_at_hubs() const {
    for (const Dial& dial : dials_) {
        if (json_ || dial.via || dial.ended || dial.met) continue;
        std::fprintf(stderr, "%s has joined nothing of this: if it is a hub, name it by --via in place of --connect.\n",
                     short_id(dial.id).c_str());
    }
}

void Meeting::note_member(const sealwire::topic_member& member) {
    for (Dial& dial : dials_) dial.met = dial.met || dial.id == member.id;
}

int Meeting::connect(const Arguments& arguments) {
    dial(arguments);
    const auto done = [this](const Dial& dial) { return dial.ended || reached(dial.peer); };
    return explain(run_until([&] { return !fatal_ && std::all_of(dials_.begin(), dials_.end(), done); }));
}

int Meeting::listen(const Arguments& arguments) {
    for (const std::string& url : arguments.all("--listen")) {
        listeners_.push_back(session_.listen(arguments, url, "--listen"));
    }
    if (const int failed = explain(run_until([this] { return listening_ == listeners_.size(); }))) return failed;
    return session_.broken() && listens_ ? session_.broken_status() : kDone;  // who cannot tell its ticket
}

int Meeting::join(const std::string& name, sealwire::topic_options options, sealwire::topic& out, uint32_t timeout_ms,
                  const std::function<bool()>& enough) {
    struct Joined {
        bool done = false;
        sw_event_topic about{};
    };
    const auto joined = std::make_shared<Joined>();  // an interrupted wait is over before it is told
    options.on_joined = [joined](sealwire::topic, const sw_event_topic& about) { *joined = {true, about}; };
    const auto saying = [this, name](const char* what, auto also) {
        return [this, name, what, also](sealwire::topic topic, const sealwire::topic_member& member) {
            if (also) also(topic, member);
            note_member(member);
            say_member(what, name, member);
        };
    };
    options.on_member_joined = saying("member_joined", std::move(options.on_member_joined));
    options.on_member_left = saying("member_left", std::move(options.on_member_left));
    options.on_refused = [this, name](sealwire::topic, sw_peer, const sw_event_topic& about) {
        say_refused(name, about);
    };
    out = session_.node().join(name, std::move(options));
    constexpr std::string_view kHint =
        "Wait longer by --timeout, or see by `sealwire doctor TICKET` whether all of them answer.";
    const Until until = run_until([&] { return joined->done || (enough && enough()); }, timeout_ms);
    if (until == Until::over && !joined->done) return kDone;
    if (no_hub_) return explain(Until::ended);
    if (const int failed = explain(until, "not all peers have answered that it joins " + name, kHint)) return failed;
    const sw_event_topic& about = joined->about;
    if (about.refused > 0 && about.count == 0 && !listens_) {
        const std::string where = "joining " + name;
        const std::string_view hint = hint_of(about.result, session_.new_key());
        return tool::explain({.result = about.result, .where = where, .code = about.code, .hint = hint}, json_);
    }
    if (json_) {
        Json()
            .text("event", "joined")
            .text("topic", name)
            .number("peers", static_cast<int64_t>(about.count))
            .number("refused", about.refused)
            .print();
    } else if (verbose_) {
        std::fprintf(stderr, "Joined %s, with %zu other%s connected.\n", name.c_str(), static_cast<size_t>(about.count),
                     about.count == 1 ? "" : "s");
    }
    return kDone;
}

void Meeting::hang_up(uint32_t deadline_ms) {
    dial_no_more();
    for (Dial& dial : dials_) {
        if (dial.loss && !dial.ended) leave(dial, *dial.loss);
    }
    for (const sealwire::peer& peer : std::vector<sealwire::peer>(connected_)) close_peer(peer, deadline_ms);
}

void Meeting::close() {
    constexpr uint32_t kLastWait = 2000;  // ms
    hang_up(kLastWait);  // before the node leaves its topics: of who has left one nothing is counted, nor is it told
    session_.run_until([this] { return connected_.empty(); }, kLastWait);
    session_.node().close();
}

Meeting::Until Meeting::run_until(const std::function<bool()>& over, uint32_t timeout_ms, int input) {
    bool through = false;
    const auto stop = [&] { return (through = over()) || ended() || session_.interrupted(); };
    const auto end = Dial::Clock::now() + std::chrono::milliseconds(timeout_ms);
    for (;;) {
        const uint32_t left = timeout_ms == SW_NEVER ? SW_NEVER : left_until(end);
        const uint32_t dial = dial_due();
        const bool woken = session_.run_until([&] { return stop() || dial_waits_; }, std::min(left, dial), input);
        if (through) return Until::over;
        if (ended()) return Until::ended;
        if (session_.interrupted()) return Until::interrupted;
        if (woken && !dial_waits_) return Until::input;
        if (!woken && left <= dial) return Until::late;
    }
}

int Meeting::explain(Until until, const std::string& waited, std::string_view hint) const {
    constexpr const char* kNoHub =
        "start `sealwire hub` there and use its ticket; a peer that itself publishes or subscribes is named by "
        "--connect";
    if (until == Until::ended && no_hub_)
        return explain_own(kFailed, "no_hub", *no_hub_ + " is named by --via and is no hub", kNoHub, json_);
    switch (until) {
        case Until::ended: return (fatal_ ? *fatal_ : *last_).explain(json_);
        case Until::interrupted: return explain_interrupt(json_);
        case Until::late: return tool::explain({.result = SW_ERR_TIMEOUT, .detail = waited, .hint = hint}, json_);
        default: return kDone;
    }
}

bool Meeting::is_connected(sealwire::peer peer) const {
    return std::find(connected_.begin(), connected_.end(), peer) != connected_.end();
}

bool Meeting::reached(sealwire::peer peer) const {
    return std::find(reached_.begin(), reached_.end(), peer) != reached_.end();
}

void Meeting::on_event(const sw_event& event) {
    if (event.type == SW_EVENT_LISTENER_CLOSED && event.as.closed.result != SW_OK) fatal_.emplace(event.as.closed);
    if (event.type == SW_EVENT_NODE_CLOSED) {
        closed_ = true;
        late_ = event.as.node_closed.report->deadline_passed != 0;
    }
}

bool Meeting::left(sealwire::peer peer) const {
    const auto of = [&](const Dial& dial) { return dial.ended && dial.peer == peer; };
    return std::any_of(dials_.begin(), dials_.end(), of);
}

void Meeting::on_connected(sealwire::peer peer, const sw_event_connected& event) {
    if (left(peer)) return;
    bool own = false, again = false;
    for (Dial& dial : dials_) {
        if (dial.peer != peer && !(dial.waits && dial.id == event.id)) continue;
        own = true;
        again = again || dial.loss;
        found(dial, peer);
    }
    connected_.push_back(peer);
    reached_.push_back(peer);
    const std::string words = again ? "connected anew to " : own ? "connected to " : "connected from ";
    say("connected", event.id, words + place_of(event), again);
}

void Meeting::on_link(sealwire::peer peer, sw_event_type type, const sw_event_link& event) {
    if (!reached(peer)) return;  // the addresses of a host, one by one
    const char* const name = type == SW_EVENT_PEER_SUSPENDED ? "suspended"
                             : type == SW_EVENT_PEER_RESUMED ? "resumed"
                                                             : "connecting";
    const bool lost = lost_.note(peer, type);
    say(name, event.id, link_words(type, event, lost), lost && type != SW_EVENT_PEER_CONNECTING);
    if (type == SW_EVENT_PEER_CONNECTING) note_dial(peer, event.result);
    if (type == SW_EVENT_PEER_RESUMED) note_resumed(peer);
}

void Meeting::on_closed(sealwire::peer peer, const sw_event_closed& event) {
    if (left(peer)) return;
    const bool was_there = reached(peer);
    bool own = false, again = false, told = false, first = false;
    for (Dial& dial : dials_) {
        if (dial.peer != peer) continue;
        own = true;
        if (event.instead.value) found(dial, sealwire::peer(event.instead));  // two ways to one peer
        else if (redial(dial, event)) again = true, first = first || dial.attempts == 0;
        else told = dial_closed(dial, event) || told;
    }
    const bool lost = again && was_there;
    lost_.forget(peer);
    std::erase(connected_, peer);
    if (!own || again) std::erase(reached_, peer);  // whom nobody waits for
    if (told_closed_) told_closed_(peer, event);
    const auto by_hub = [&](const Dial& dial) { return dial.again == Again::closed && dial.peer == peer; };
    const bool of_hub = std::any_of(dials_.begin(), dials_.end(), by_hub);
    const bool spared = of_hub && std::any_of(dials_.begin(), dials_.end(), [&](const Dial& dial) {
                            return dial.again == Again::closed && dial.peer != peer && is_connected(dial.peer);
                        });
    std::string also =
        lost && part_ == Part::subscriber && !spared ? "; what is published meanwhile does not come" : "";
    if (again) also += "; it is dialled again";
    const bool news = lost || first || (!is_orderly(event) && !again);
    const bool loud = news && !event.instead.value && !ended() && !told;
    say("closed", event.id, words_of(event) + also, loud);
    if (again) note_dial(peer, event.result);
}

// In words only what is loud or was asked for.
void Meeting::say(const char* what, const sealwire::peer_id& id, const std::string& text, bool loud) const {
    if (json_) {
        Json().text("event", what).text("peer", id.text()).text("text", text).print();
    } else if (verbose_ || loud) {
        std::fprintf(stderr, "%s %s\n", short_id(id).c_str(), text.c_str());
    }
}

void Meeting::say_refused(const std::string& topic, const sw_event_topic& about) const {
    const std::string text = "does not let this program join " + topic + ": " + sw_result_text(about.result);
    if (!json_) return say("refused", about.id, text, true);
    Json()
        .text("event", "refused")
        .text("topic", topic)
        .text("peer", sealwire::peer_id(about.id).text())
        .text("error", sw_result_name(about.result))
        .number("code", about.code)
        .text("text", text)
        .print();
}

void Meeting::say_member(const char* what, const std::string& topic, const sealwire::topic_member& member) const {
    if (json_) {
        Json()
            .text("event", what)
            .text("topic", topic)
            .text("peer", member.id.text())
            .flag("publisher", member.publisher)
            .flag("hub", member.hub)
            .print();
    } else if (verbose_) {
        const bool joins = what == std::string_view("member_joined");
        std::fprintf(stderr, "%s has %s %s%s\n", short_id(member.id).c_str(), joins ? "joined" : "left", topic.c_str(),
                     joins && member.publisher ? ", to publish" : "");
    }
}

}  // namespace tool

// sealwire listen: takes connections and shows what comes; answers with the body it got, or what a program prints.
#include <algorithm>
#include <csignal>
#include <vector>

#include "access.h"
#include "command.h"
#include "exec.h"
#include "metrics.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

class Listen {
public:
    explicit Listen(const Arguments& arguments)
        : json_(arguments.json()),
          echo_(arguments.has("--echo")),
          quiet_(arguments.has("--quiet")),
          metrics_(arguments.value("--metrics")),
          folder_(arguments.value("--http-folder")),
          health_(arguments.value("--http-health")),
          http_metrics_(arguments.value("--http-metrics")),
          origin_(arguments.value("--http-origin")),
          session_(arguments, handlers(arguments)) {
        std::signal(SIGPIPE, SIG_IGN);  // who reads the output may go: that is told by what is written
        if (!arguments.has("--exec")) return;
        programs_.emplace(arguments.value("--exec"), arguments.number("--exec-output", 1U << 20, 1U << 30));
        at_once_ = std::max(1U, arguments.number("--exec-at-once", 4, 1024));
    }

    int run(const Arguments& arguments, const std::string& url) {
        sealwire::route_options options;
        options.max_handlers = at_once_;
        session_.node().route(
            "", [this](const sealwire::incoming& message) { on_message(message); }, options);
        const sealwire::listener listener = listen(arguments, url);
        const uint32_t interval = metrics_.empty() ? SW_NEVER : kMetricsMs;
        for (bool ended = false; !ended;) {
            put_metrics();
            ended =
                session_.run_until([this] { return over_ || session_.broken(); }, interval) || session_.interrupted();
        }
        put_metrics();
        if (over_) return over_->explain(json_);
        if (programs_) programs_->stop();
        session_.node().close();
        if (session_.broken() && !session_.interrupted()) return session_.broken_status();
        if (json_) Json().text("event", "stopped").print();
        else session_.print("Stopped.\n");
        return kDone;
    }

private:
    sealwire::listener listen(const Arguments& arguments, const std::string& url) {
        sw_listen_options options;
        sw_http_options http;
        sw_listen_options_init(&options);
        sw_http_options_init(&http);
        http.folder = sealwire::text_of(folder_);
        http.health_path = sealwire::text_of(health_);
        http.metrics_path = sealwire::text_of(http_metrics_);
        http.origins = sealwire::text_of(origin_);
        const bool wanted = !(folder_ + health_ + http_metrics_ + origin_).empty();
        if (wanted) options.http = &http;
        return session_.listen(arguments, url, options);
    }
    sealwire::node_options handlers(const Arguments& arguments) {
        sealwire::node_options options;
        set_access(arguments, options);
        options.on_listening = [this](const sw_event_listening& event) { on_listening(event); };
        options.on_connected = [this](sealwire::peer peer, const sw_event_connected& event) {
            peers_.push_back(peer);
            on_connected(event);
        };
        options.on_closed = [this](sealwire::peer peer, const sw_event_closed& event) {
            lost_.forget(peer);
            peers_.erase(std::remove(peers_.begin(), peers_.end(), peer), peers_.end());
            on_closed(event);
        };
        options.on_link = [this](sealwire::peer peer, sw_event_type type, const sw_event_link& event) {
            const bool lost = lost_.note(peer, type);
            if (type == SW_EVENT_PEER_SUSPENDED) say("suspended", event.id, link_words(type, event, lost));
            if (type == SW_EVENT_PEER_RESUMED) say("resumed", event.id, link_words(type, event, lost));
        };
        options.on_log = [this](const sw_event_log& event) { print_log(event, json_); };
        options.limits.log_level = SW_LOG_WARNING;
        options.on_event = [this](const sw_event& event) {
            if (event.type == SW_EVENT_LISTENER_CLOSED && event.as.closed.result != SW_OK)
                over_.emplace(event.as.closed);
        };
        return options;
    }

    void put_metrics() {
        if (!metrics_.empty()) write_metrics(metrics_, metrics_text(session_.node(), peers_));
    }

    void on_listening(const sw_event_listening& event) {
        if (json_) return print_listening(event, session_.node().id());
        const std::string address(sealwire::view_of(event.address)), ticket(sealwire::view_of(event.ticket));
        session_.print("Listening on " + address + ". Others connect with this ticket" + host_words(ticket) + ":\n" +
                       ticket + "\n");
    }
    void on_connected(const sw_event_connected& event) {
        say("connected", event.id, "connected from " + place_of(event));
    }
    void on_closed(const sw_event_closed& event) { say("closed", event.id, words_of(event)); }
    void say(const char* what, const sealwire::peer_id& id, const std::string& text) {
        if (json_) {
            Json().text("event", what).text("peer", id.text()).text("text", text).print();
        } else {
            session_.print(short_id(id) + " " + text + "\n");
        }
    }
    void on_message(const sealwire::incoming& message) {
        if (quiet_) {
            // What is told would take longer than what is measured.
        } else if (json_) {
            Json()
                .text("event", "message")
                .text("peer", message.id().text())
                .text("route", message.route())
                .flag("wants_reply", message.wants_reply())
                .body(message.body(), message.type())
                .print();
        } else {
            session_.print(short_id(message.id()) + (message.wants_reply() ? " requests " : " sends ") +
                           printable(message.route()) + ": " + printable(message.body()) + "\n");
        }
        if (!message.wants_reply()) return;
        if (programs_) {
            programs_->start(message);
        } else if (echo_) {
            message.reply(message.body(), message.type());
        } else {
            message.finish();
        }
    }

    bool json_, echo_, quiet_;
    uint32_t at_once_ = 0;  // any number
    std::optional<Programs> programs_;
    std::string metrics_;  // a path, or empty
    std::string folder_, health_, http_metrics_, origin_;
    std::vector<sealwire::peer> peers_;
    LostLinks lost_;
    std::optional<Ending> over_;
    Session session_;
};

int run_listen(const Arguments& arguments) {
    arguments.at_most(1);
    const std::string& url = arguments.need(0, "address to listen on");
    if (arguments.has("--echo") && arguments.has("--exec")) throw UsageError("--echo and --exec cannot both be given");
    check_access(arguments);
    return Listen(arguments).run(arguments, url);
}

}  // namespace

const Command kListen{
    "listen",
    "ADDRESS",
    "take connections and show what comes",
    "Listens on ADDRESS (tcp://HOST:PORT, port 0 for any; unix:///PATH; ws://HOST:PORT/PATH, wss://HOST:PORT/PATH), "
    "prints the ticket that "
    "others connect with, "
    "and\n"
    "then each connection and message. Requests are answered 'done', with --echo by what they carried, or with --exec "
    "by\n"
    "what CMD prints, which /bin/sh runs for each: the body is its input, the route is SEALWIRE_ROUTE, the peer's id\n"
    "SEALWIRE_PEER, the body's type SEALWIRE_TYPE. Exit status N other than 0 is answered as status 64 + N.\n"
    "SIGINT and SIGTERM end it in good order, with exit status 0.",
    with_node_options(
        with_access_options(
            {{"--echo", "", "answer requests with their own body"},
             {"--quiet", "", "show connections, but no messages"},
             {"--exec", "CMD", "answer requests with what this program prints"},
             {"--exec-at-once", "N", "programs that run at once; further requests wait (4)"},
             {"--exec-output", "BYTES", "that a program prints at most; it is killed (1 MiB)"},
             {"--metrics", "FILE", "keep counters there, as Prometheus text"},
             {"--http-folder", "FOLDER", "of ws:// and wss://: answer HTTP by the files of this folder"},
             {"--http-health", "PATH", "of ws:// and wss://: answer this path with 200, ok"},
             {"--http-metrics", "PATH", "of ws:// and wss://: answer this path with counters, as Prometheus text"},
             {"--http-origin", "ORIGIN", "of ws:// and wss://: let its pages have WebSockets; * lets all"}}),
        false),
    run_listen};

}  // namespace tool

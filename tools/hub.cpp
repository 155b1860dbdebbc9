// sealwire hub: passes on what its peers publish to topics, and joins other hubs.
#include "command.h"
#include "meeting.h"
#include "metrics.h"
#include "output.h"

namespace tool {
namespace {

int run_hub(const Arguments& arguments) {
    arguments.at_most(0);
    if (!arguments.has("--listen")) throw UsageError("say where its peers connect to: --listen ADDRESS");
    Meeting meeting(arguments, Meeting::Part::hub);
    if (const int failed = meeting.listen(arguments)) return failed;
    meeting.dial(arguments);
    Session& session = meeting.session();
    const std::string metrics = arguments.value("--metrics");
    const auto put_metrics = [&] {
        if (!metrics.empty()) write_metrics(metrics, metrics_text(session.node(), meeting.peers()));
    };
    Meeting::Until until = Meeting::Until::late;
    while (until == Meeting::Until::late) {
        put_metrics();
        until = meeting.run_until([&] { return session.broken(); }, metrics.empty() ? SW_NEVER : kMetricsMs);
    }
    put_metrics();
    if (until == Meeting::Until::ended) return meeting.explain(until);
    meeting.close();
    if (until == Meeting::Until::over && !session.interrupted()) return session.broken_status();
    if (arguments.json()) Json().text("event", "stopped").print();
    return kDone;
}

}  // namespace

const Command kHub{
    "hub",
    "--listen ADDRESS",
    "pass on what others publish to topics",
    "Passes on what its peers publish to topics to those of its other peers that have joined them. Peers connect to\n"
    "ADDRESS, with the ticket that is told on standard error, and name it as a hub that they trust: `sealwire pub` "
    "and\n"
    "`sub` by --via. It reads topics without their names, and of those with a secret nothing. Hubs that name each "
    "other\n"
    "by --hub are one: who is at any of them gets what is published at the others. A hub of which a ticket is given "
    "is\n"
    "dialled, and dialled again whenever it is gone; one of which the id is given has to connect by itself. What does\n"
    "not leave for a slow peer is dropped, the oldest first, once 4 MiB of a topic wait, and told in the log.\n"
    "SIGINT and SIGTERM end it in good order, with exit status 0.",
    with_meeting_options(
        {{"--hub", "TICKET|ID", "another hub, that is trusted and has to name this one; may be given several times"},
         {"--metrics", "FILE", "keep counters there, as Prometheus text"},
         {"--topics-per-peer", "N", "that each peer may have joined, another hub with all its clients' (1024)"}}),
    run_hub};

}  // namespace tool

// sealwire doctor: walks the steps of reaching a peer and says which one fails, and what to do.
#include <cstdio>

#include "command.h"
#include "named_file.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

struct Step {
    const char* name;
    const char* expected;
};
constexpr Step kSteps[] = {
    {"self", "this program's key and network can be used"},
    {"ticket", "the ticket can be read, and is another's than this program's"},
    {"name", "the host's name has an address"},
    {"connect", "something listens there"},
    {"tls", "it speaks TLS, with a right certificate"},
    {"upgrade", "the web server there gives a WebSocket"},
    {"handshake", "it proves the key of the ticket, in the same network"},
    {"authorisation", "it lets this program's key in"},
    {"answer", "it answers through the encrypted connection"},
};
enum : size_t { kSelf, kTicket, kName, kConnect, kTls, kUpgrade, kHandshake, kAuthorisation, kAnswer, kCount };

// The step that a failed connection failed at.
size_t step_of(sw_result result) {
    if (result == SW_ERR_TLS_CONFIG || result == SW_ERR_ARG) return kSelf;  // before anything is dialled
    if (result >= SW_ERR_TLS_HANDSHAKE && result <= SW_ERR_TLS_REFUSED) return kTls;
    switch (result) {
        case SW_ERR_ADDRESS:
        case SW_ERR_KEY:
        case SW_ERR_SELF: return kTicket;
        case SW_ERR_NAME: return kName;
        case SW_ERR_WS_UPGRADE:
        case SW_ERR_WS_REFUSED:
        case SW_ERR_WS_PROTOCOL: return kUpgrade;
        case SW_ERR_NO_ANSWER:
        case SW_ERR_HANDSHAKE:
        case SW_ERR_TRUNCATED:
        case SW_ERR_RECORD:
        case SW_ERR_PROTOCOL: return kHandshake;
        case SW_ERR_HANDSHAKE_TIMEOUT:  // the key was proved, the decision did not come
        case SW_ERR_LIMIT:              // who has not proved its key is told nothing
        case SW_ERR_NOT_ALLOWED:
        case SW_ERR_REJECTED:
        case SW_ERR_PEER_CLOSED: return kAuthorisation;
        default: return kConnect;
    }
}

class Doctor {
public:
    explicit Doctor(const Arguments& arguments) : arguments_(arguments), json_(arguments.json()) {}

    int run(const std::string& text) {
        sealwire::ticket ticket;
        std::string own;
        if (const int failed = attempt(kSelf, [&] { own = self_check(); })) return failed;
        if (const int failed = attempt(
                kTicket, [&] { ticket = sealwire::ticket::parse(text); }, own))
            return failed;

        web_ = ticket.address.rfind("ws", 0) == 0;
        tls_ = ticket.address.rfind("tls://", 0) == 0 || ticket.address.rfind("wss://", 0) == 0;
        std::optional<sw_event_pong> pong;
        std::optional<Client> client;
        const auto on_event = [&](const sw_event& event) {
            if (event.type == SW_EVENT_PONG) pong = event.as.pong;
        };
        try {
            client.emplace(arguments_, text, on_event);
        } catch (const sealwire::error& error) {
            const size_t step = step_of(error.code());
            if (step > kSelf) passed(kSelf, own);
            for (size_t i = kTicket; i < step; ++i) passed(i, "");
            show_failed(step, text_of_error(error), error.detail());
            return explain_error(error, json_, ticket.address);
        }
        passed(kSelf, own);  // with its certificates, which were read now
        passed(kTicket, "");
        if (client->wait() == kInterrupted) return explain_interrupt(json_);
        if (const std::optional<Ending>& ending = client->ending()) {
            const size_t step = step_of(ending->result);
            for (size_t i = kName; i < step; ++i) passed(i, "");
            show_failed(step, sw_result_text(ending->result), ending->detail);
            return ending->explain(json_);
        }
        passed(kName, "");
        passed(kConnect, client->connected().address);
        passed(kTls, "");
        passed(kUpgrade, "");
        passed(kHandshake, "peer id " + client->connected().id.text());
        passed(kAuthorisation, "");
        client->peer().ping();
        if (const int ended = client->run_until([&] { return pong.has_value(); })) return ended;
        passed(kAnswer, milliseconds(pong->round_trip_us) + " ms; its clock is " +
                            std::to_string(pong->clock_difference_ms) + " ms from this one");
        client->close();
        if (json_) {
            Json().text("event", "healthy").print();
        } else {
            std::printf("All is well: %s can be reached.\n", text.c_str());
        }
        return kDone;
    }

private:
    std::string self_check() const {
        std::string id = "a new one, for this run";
        if (const auto identity = identity_of(arguments_)) id = identity->id().text();
        network_of(arguments_);
        static_cast<void>(tls_of(arguments_, false));  // may others read its key?
        return "peer id " + id;
    }

    // Says so only when it fails; `own` is the note of kSelf when that has passed.
    template <typename Fn>
    int attempt(size_t step, Fn fn, const std::string& own = {}) const {
        try {
            fn();
        } catch (const sealwire::error& error) {
            if (step > kSelf) passed(kSelf, own);
            show_failed(step, text_of_error(error), error.detail());
            return explain_error(error, json_);
        }
        return kDone;
    }

    // What the ticket's scheme has not.
    bool without(size_t step) const { return (step == kUpgrade && !web_) || (step == kTls && !tls_); }

    void passed(size_t step, const std::string& note) const {
        if (without(step)) return;
        if (json_) {
            Json()
                .text("event", "step")
                .text("step", kSteps[step].name)
                .flag("passed", true)
                .text("note", note)
                .print();
        } else {
            std::printf("ok      %-14s %s%s%s\n", kSteps[step].name, kSteps[step].expected, note.empty() ? "" : ": ",
                        printable(note).c_str());
        }
    }

    // What was found and what should be; `explain` then says what to do.
    void show_failed(size_t step, const std::string& found, const std::string& detail) const {
        if (json_) {
            Json()
                .text("event", "step")
                .text("step", kSteps[step].name)
                .flag("passed", false)
                .text("note", detail)
                .print();
        } else {
            std::printf("FAILED  %-14s found:    %s\n", kSteps[step].name, found.c_str());
            std::printf("        %-14s expected: %s\n", "", kSteps[step].expected);
            for (size_t i = step + 1; i < kCount; ++i) {
                if (!without(i)) std::printf("-       %-14s not tried\n", kSteps[i].name);
            }
            std::fflush(stdout);
        }
    }

    const Arguments& arguments_;
    bool json_;
    bool web_ = false;
    bool tls_ = false;
};

int run_doctor(const Arguments& arguments) {
    arguments.at_most(1);
    return Doctor(arguments).run(arguments.need(0, "ticket"));
}

}  // namespace

const Command kDoctor{
    "doctor",
    "TICKET",
    "find out why a peer cannot be reached",
    "Walks the steps of reaching the peer of TICKET: self (key and network of this side), ticket, name,\n"
    "connect, tls (of tls://, wss://), upgrade (of ws://, wss://), handshake, authorisation, answer. Says which one "
    "fails and what\n"
    "to do about it. Give it --key, --network and --tls options as the program has them that cannot reach its peer.",
    with_node_options({}, true),
    run_doctor};

}  // namespace tool

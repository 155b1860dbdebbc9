// sealwire receive: takes connections and saves the files that come, each whole or not at all.
#include <csignal>
#include <map>
#include <tuple>

#include "access.h"
#include "command.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

constexpr uint32_t kNotSaved = 64;  // of a status: the words say why
constexpr uint32_t kNoFile = 65;

class Receive {
public:
    Receive(const Arguments& arguments, std::string folder)
        : json_(arguments.json()),
          folder_(std::move(folder)),
          most_(uint64_t{arguments.number("--max-megabytes", 1024, 1u << 30)} * 1024 * 1024),
          session_(arguments, handlers(arguments)) {
        std::signal(SIGPIPE, SIG_IGN);  // who reads the output may go: that is told by what is written
    }

    int run(const Arguments& arguments, const std::string& url) {
        session_.node().route("push", [this](const sealwire::incoming& message) { on_message(message); });
        const sealwire::listener listener = session_.listen(arguments, url);
        session_.run_until([this] { return over_ || session_.broken(); });
        if (over_) return over_->explain(json_);
        session_.node().close();
        if (session_.broken() && !session_.interrupted()) return session_.broken_status();
        if (json_) Json().text("event", "stopped").print();
        else session_.print("Stopped.\n");
        return kDone;
    }

private:
    struct Request {
        sealwire::exchange exchange;
        bool wants_reply = false;
        size_t open = 0;
        std::string failed;  // words
    };
    using Key = std::tuple<uint64_t, uint64_t>;
    static Key key_of(const sw_exchange& exchange) { return {exchange.peer.value, exchange.number}; }

    sealwire::node_options handlers(const Arguments& arguments) {
        sealwire::node_options options;
        set_access(arguments, options);
        options.on_listening = [this](const sw_event_listening& event) { on_listening(event); };
        options.on_event = [this](const sw_event& event) {
            if (event.type == SW_EVENT_LISTENER_CLOSED && event.as.closed.result != SW_OK)
                over_.emplace(event.as.closed);
            if (event.type == SW_EVENT_PART_DONE) on_done(event.as.part_done);
        };
        return options;
    }
    void on_listening(const sw_event_listening& event) {
        if (json_) return print_listening(event, session_.node().id());
        const std::string ticket(sealwire::view_of(event.ticket));
        session_.print("Files go to " + folder_ + ". Others send them by: sealwire push TICKET FILE, with this ticket" +
                       host_words(ticket) + ":\n" + ticket + "\n");
    }

    void on_message(const sealwire::incoming& message) {
        Request request{message.exchange(), message.wants_reply()};
        for (size_t i = 0; i < message.parts().size(); ++i) {
            const std::string name(message.part_name(i));
            try {
                sw_save_options options;
                sw_save_options_init(&options);
                options.most_bytes = most_;
                message.save(i, folder_, &options);
                names_[{message.raw().exchange.peer.value, message.raw().exchange.number,
                        message.raw().parts[i].part.number}] = name;
                ++request.open;
            } catch (const sealwire::error& error) {
                request.failed = failed(message.id(), name, error.code(), error.detail());
                message.parts().at(i).cancel(kNotSaved);
            }
        }
        if (message.parts().empty() && message.wants_reply()) return message.finish(kNoFile, "no file came with it");
        if (request.open == 0) return answer(request);
        requests_[key_of(message.raw().exchange)] = std::move(request);
    }

    void on_done(const sw_event_part_done& done) {
        const auto name = names_.find({done.part.exchange.peer.value, done.part.exchange.number, done.part.number});
        const auto request = requests_.find(key_of(done.part.exchange));
        if (name == names_.end() || request == requests_.end()) return;
        const sealwire::peer_id id(done.id);
        if (done.result == SW_OK) {
            saved(id, name->second, done.bytes);
        } else {
            request->second.failed = failed(id, name->second, done.result, sealwire::view_of(done.detail));
        }
        names_.erase(name);
        if (--request->second.open > 0) return;
        const Request over = request->second;
        requests_.erase(request);
        answer(over);
    }

    static void answer(const Request& request) {
        if (!request.wants_reply) return;
        try {
            request.exchange.finish(request.failed.empty() ? 0 : kNotSaved, request.failed);
        } catch (const sealwire::error&) {  // who asked has gone
        }
    }

    void saved(const sealwire::peer_id& id, const std::string& name, uint64_t bytes) {
        if (json_) {
            Json()
                .text("event", "received")
                .text("peer", id.text())
                .text("name", name)
                .text("path", folder_ + "/" + name)
                .number("bytes", static_cast<int64_t>(bytes))
                .print();
            return;
        }
        session_.print(short_id(id) + " sent " + printable(name) + ", " + std::to_string(bytes) + " bytes\n");
    }
    // The words for the sender.
    std::string failed(const sealwire::peer_id& id, const std::string& name, sw_result result,
                       std::string_view detail) {
        if (json_) {
            Json()
                .text("event", "failed")
                .text("peer", id.text())
                .text("name", name)
                .text("error", sw_result_name(result))
                .text("text", sw_result_text(result))
                .text("detail", detail)
                .print();
        } else {
            session_.print(short_id(id) + " did not get " + printable(name) + " to us: " + sw_result_text(result) +
                           (detail.empty() ? "" : ": ") + printable(detail) + "\n");
        }
        return sw_result_text(result);
    }

    const bool json_;
    const std::string folder_;
    const uint64_t most_;
    std::map<std::tuple<uint64_t, uint64_t, uint64_t>, std::string> names_;  // of parts that are being saved
    std::map<Key, Request> requests_;
    std::optional<Ending> over_;
    Session session_;
};

int run_receive(const Arguments& arguments) {
    arguments.at_most(2);
    const std::string& url = arguments.need(0, "address to listen on");
    const std::string& folder = arguments.need(1, "folder to save into");
    check_access(arguments);
    return Receive(arguments, folder).run(arguments, url);
}

}  // namespace

const Command kReceive{
    "receive",
    "ADDRESS FOLDER",
    "save the files that others push",
    "Listens on ADDRESS (as `sealwire listen`), prints the ticket, and saves into FOLDER what `sealwire push` sends. A "
    "file has\n"
    "its name when it is whole and its BLAKE2b-256 is right; nothing is replaced, and nothing partial is left. SIGINT "
    "and\n"
    "SIGTERM end it, with exit status 0.",
    with_node_options(with_access_options({{"--max-megabytes", "N", "refuse files that are larger (1024)"}}), false),
    run_receive};

}  // namespace tool

// sealwire stream: standard input and output as the two streams of a peer of the Secret Handshake.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>

#include "access.h"
#include "command.h"
#include "output.h"
#include "session.h"

namespace tool {
namespace {

// What the thread that reads standard input shares with the node's handlers. It may outlive them: nothing ends a read.
struct Pump {
    std::mutex mutex;
    std::condition_variable changed;
    bool room = false;
    bool over = false;

    void tell(bool ended) {
        const std::lock_guard<std::mutex> lock(mutex);
        room = true;
        over = over || ended;
        changed.notify_all();
    }
    // False when nothing more is wanted.
    bool wait() {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [this] { return room || over; });
        room = false;
        return !over;
    }
};

void pump(const std::shared_ptr<Pump>& shared, sealwire::part to) {
    std::array<char, 65536> block;
    try {
        for (;;) {
            const ssize_t size = read(STDIN_FILENO, block.data(), block.size());
            if (size < 0 && errno == EINTR) continue;
            if (size <= 0) break;
            while (!to.try_write({block.data(), static_cast<size_t>(size)})) {
                if (!shared->wait()) return;
            }
        }
        to.try_end();
    } catch (const sealwire::error&) {  // it has ended, of which the node's handlers tell
    }
}

int value_of(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

std::string network_from(const Arguments& arguments) {
    const std::string hex = arguments.value("--shs-network");
    std::string network;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        const int high = value_of(hex[i]), low = value_of(hex[i + 1]);
        if (high < 0 || low < 0) break;
        network += static_cast<char>(high * 16 + low);
    }
    if (hex.size() != 2 * SW_SHS_NETWORK_SIZE || network.size() != SW_SHS_NETWORK_SIZE) {
        throw UsageError("--shs-network has 64 hexadecimal digits: the 32 bytes that all peers of this network know");
    }
    return network;
}

// The 32 bytes of standard base64 with its padding; nothing for any other text.
std::optional<sealwire::peer_id> id_of_base64(std::string_view text) {
    static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (text.size() != 44 || text.back() != '=') return std::nullopt;
    sw_peer_id id{};
    uint32_t bits = 0;
    size_t count = 0, at = 0;
    for (const char digit : text.substr(0, 43)) {
        const size_t value = kDigits.find(digit);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits << 6 | static_cast<uint32_t>(value);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        id.bytes[at++] = static_cast<uint8_t>(bits >> count);
        bits &= (1U << count) - 1;
    }
    if (bits != 0) return std::nullopt;
    return sealwire::peer_id(id);
}

// A ticket; of net:host:port~shs:key, as Secure Scuttlebutt writes addresses, what it says.
std::string ticket_of(const std::string& given) {
    constexpr std::string_view kNet = "net:", kShs = "~shs:";
    const size_t shs = given.find(kShs);
    if (given.compare(0, kNet.size(), kNet) != 0 || shs == std::string::npos) return given;
    const std::optional<sealwire::peer_id> id = id_of_base64(std::string_view(given).substr(shs + kShs.size()));
    if (!id) throw UsageError("behind ~shs: stands a key of 44 letters in base64");
    std::string address = given.substr(kNet.size(), shs - kNet.size());
    if (std::count(address.begin(), address.end(), ':') > 1 && address[0] != '[') {  // IPv6 as it stands there
        address.insert(address.rfind(':'), 1, ']');
        address.insert(0, 1, '[');
    }
    std::string ticket("tcp://");
    ticket += address;
    ticket += '#';
    ticket += id->text();
    return ticket;
}

class Stream {
public:
    explicit Stream(const Arguments& arguments)
        : json_(arguments.json()),
          listens_(arguments.has("--listen")),
          network_(network_from(arguments)),
          session_(arguments, handlers(arguments)) {}

    int run(const Arguments& arguments) {
        if (listens_) {
            const sw_listen_options options = sealwire::shs_listen_options(network_);
            listener_ = session_.listen(arguments, arguments.need(0, "address"), options);
        } else {
            sw_connect_options options = sealwire::shs_connect_options(network_);
            options.timeout_ms = arguments.duration_ms("--connect-timeout", 0);
            session_.node().connect(ticket_of(arguments.need(0, "ticket")), options);
        }
        session_.run_until([this] { return ending_.has_value(); });
        pump_->tell(true);
        if (!ending_) return explain_interrupt(json_);
        return ending_->result == SW_OK && connected_ ? kDone : ending_->explain(json_);
    }

private:
    sealwire::node_options handlers(const Arguments& arguments) {
        sealwire::node_options options;
        if (listens_) set_access(arguments, options);
        options.on_listening = [](const sw_event_listening& event) {
            const std::string ticket(sealwire::view_of(event.ticket));
            std::fprintf(stderr, "Listening%s: %s\n", host_words(ticket).c_str(), ticket.c_str());
        };
        options.on_connected = [this](sealwire::peer peer, const sw_event_connected& event) {
            on_connected(peer, event);
        };
        options.on_closed = [this](sealwire::peer peer, const sw_event_closed& event) {
            if (!listens_ || (connected_ && peer == *connected_)) ending_.emplace(event, session_.new_key());
        };
        options.on_event = [this](const sw_event& event) { on_event(event); };
        return options;
    }

    // The first who comes; those behind it are closed.
    void on_connected(sealwire::peer peer, const sw_event_connected& event) {
        if (connected_) return peer.close();
        connected_ = peer;
        listener_ = sealwire::listener();
        out_ = sealwire::part(event.stream_out);
        try {
            sealwire::part(event.stream_in).read();
        } catch (const sealwire::error&) {  // its end has come, and is told next
        }
        std::thread([shared = pump_, out = out_] { pump(shared, out); }).detach();
    }

    void on_event(const sw_event& event) {
        if (event.type == SW_EVENT_LISTENER_CLOSED && event.as.closed.result != SW_OK) ending_.emplace(event.as.closed);
        if (!connected_ || event.peer.value != connected_->raw().value) return;
        if (event.type == SW_EVENT_PART_WRITABLE) pump_->tell(false);
        if (event.type == SW_EVENT_PART_DATA) {
            const std::string_view bytes = sealwire::view_of(event.as.part_data.body);
            std::fwrite(bytes.data(), 1, bytes.size(), stdout);
            if (std::fflush(stdout) != 0) out_.cancel();  // nobody reads any more
        }
        // What is read from files and programs has an end of its own; who types is told by this that there is nobody any more.
        const bool ended = event.type == SW_EVENT_PART_DONE && !event.as.part_done.own;
        if (ended && event.as.part_done.result == SW_OK && isatty(STDIN_FILENO)) end();
    }

    void end() {
        pump_->tell(true);
        try {
            out_.try_end();
        } catch (const sealwire::error&) {  // it has ended already
        }
    }

    const bool json_;
    const bool listens_;
    const std::string network_;
    const std::shared_ptr<Pump> pump_ = std::make_shared<Pump>();
    std::optional<sealwire::peer> connected_;
    std::optional<Ending> ending_;
    sealwire::part out_;
    sealwire::listener listener_;
    Session session_;
};

int run_stream(const Arguments& arguments) {
    arguments.at_most(1);
    if (arguments.has("--listen")) check_access(arguments);
    else check_no_access(arguments);
    return Stream(arguments).run(arguments);
}

}  // namespace

const Command kStream{
    "stream",
    "TICKET",
    "talk to a peer of the Secret Handshake",
    "Connects standard input and output to a peer of the published Secret Handshake (shs1), in place of a session:\n"
    "what is read is sent, what comes is written. Both ends have to know --shs-network. TICKET may also be an\n"
    "address as Secure Scuttlebutt writes it, net:host:port~shs:key. With --listen it is the address to listen on;\n"
    "the ticket is told on standard error, and the first who comes is talked to.",
    with_access_options(
        with_node_options({{"--shs-network", "HEX", "the network identifier, 64 hexadecimal digits"},
                           {"--listen", "", "wait for a peer at an address, in place of connecting to one"}},
                          true)),
    run_stream};

}  // namespace tool

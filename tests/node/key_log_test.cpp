// The key log: its lines open what was recorded between two nodes, and no file comes without being asked for.
#include <doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "node/listener.h"
#include "node/node.h"
#include "node/peer.h"
#include "protocol/handshake.h"
#include "protocol/record.h"

namespace key_log_test {

using namespace sealwire;

namespace {

constexpr std::string_view kSecretBody = "nobody else is to read these words";

struct Told {
    std::mutex mutex;
    std::condition_variable changed;
    bool listening = false;
    bool connected = false;
    bool message = false;
    std::vector<std::pair<LogLevel, std::string>> lines;

    template <class Condition>
    void wait(Condition condition) {
        std::unique_lock lock(mutex);
        REQUIRE(changed.wait_for(lock, std::chrono::seconds(60), condition));
    }
};

class Teller final : public EventSink {
public:
    explicit Teller(Told& told) : told_(told) {}

private:
    void call(const NodeEvent& event, const Handler*) override {
        const std::lock_guard lock(told_.mutex);
        if (event.kind == NodeEventKind::listening) told_.listening = true;
        if (event.kind == NodeEventKind::peer_connected) told_.connected = true;
        if (event.kind == NodeEventKind::message) told_.message = true;
        if (event.kind == NodeEventKind::log) told_.lines.emplace_back(event.level, event.text);
        told_.changed.notify_all();
    }
    std::unique_ptr<QueuedEvent> make() override { return nullptr; }

    Told& told_;
};

// A folder of this test's own, with a key log, sockets and whatever else.
struct Folder {
    std::string path;
    Folder() {
        char name[] = "/tmp/sealwire-key-log-XXXXXX";
        REQUIRE(mkdtemp(name));
        path = name;
    }
    ~Folder() {
        for (const char* name : {"/keys", "/link", "/fifo", "/server", "/proxy"}) unlink((path + name).c_str());
        rmdir(path.c_str());
    }
};

Result<std::shared_ptr<Node>> open(Told& told, const std::string& key_log) {
    NodeConfig config;
    config.access = Access::anyone;
    config.key_log = key_log;
    uint64_t handle = 0;
    if (auto opened = Node::open(std::move(config), std::make_unique<Teller>(told), &handle); !opened)
        return Unexpected{std::move(opened).error()};
    Errc errc = Errc::ok;
    return Node::find(handle, errc);
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    return address;
}

// Between two nodes; remembers what goes each way.
class Recorder {
public:
    Recorder(const std::string& at, const std::string& server) : listening_(socket(AF_UNIX, SOCK_STREAM, 0)) {
        const sockaddr_un own = address_of(at);
        REQUIRE(bind(listening_, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
        REQUIRE(::listen(listening_, 1) == 0);
        thread_ = std::thread([this, server] { run(server); });
    }
    void join() {
        thread_.join();
        ::close(listening_);
    }

    std::vector<uint8_t> forth, back;  // after join

private:
    void run(const std::string& server) {
        const int client = accept(listening_, nullptr, nullptr);
        const int other = socket(AF_UNIX, SOCK_STREAM, 0);
        const sockaddr_un there = address_of(server);
        if (connect(other, reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) std::abort();
        pollfd ends[2] = {{client, POLLIN, 0}, {other, POLLIN, 0}};
        std::vector<uint8_t> buffer(65536);
        while (poll(ends, 2, -1) > 0) {
            const bool from_client = ends[0].revents != 0;
            const ssize_t got = read(from_client ? client : other, buffer.data(), buffer.size());
            if (got <= 0) break;
            auto& record = from_client ? forth : back;
            record.insert(record.end(), buffer.begin(), buffer.begin() + got);
            if (write(from_client ? other : client, buffer.data(), static_cast<size_t>(got)) != got) break;
        }
        ::close(client);
        ::close(other);
    }

    int listening_;
    std::thread thread_;
};

struct Line {
    std::string label;
    std::vector<uint8_t> message_1, channel_id, key;
    unsigned suite = 0;
};

std::vector<uint8_t> from_hex(const std::string& text) {
    std::vector<uint8_t> out;
    for (size_t i = 0; i + 1 < text.size(); i += 2)
        out.push_back(static_cast<uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
    return out;
}

std::vector<Line> lines_of(const std::string& path) {
    std::ifstream file(path);
    std::vector<Line> lines;
    for (std::string text; std::getline(file, text);) {
        std::istringstream words(text);
        Line line;
        std::string message_1, channel_id, key;
        words >> line.label >> message_1 >> channel_id >> line.suite >> key;
        line.message_1 = from_hex(message_1);
        line.channel_id = from_hex(channel_id);
        line.key = from_hex(key);
        lines.push_back(line);
    }
    return lines;
}

// All plaintext of one direction, the handshake's bytes of it left out.
std::string read_with(const Line& line, std::vector<uint8_t> bytes, size_t handshake) {
    REQUIRE(line.key.size() == 32);
    RecordOpener opener(static_cast<Suite>(line.suite), Secret<32>(std::span<const uint8_t, 32>(line.key.data(), 32)));
    std::string text;
    for (size_t at = handshake; at < bytes.size();) {
        std::vector<uint8_t> plain(bytes.size() - at);
        size_t consumed = 0;
        size_t size = 0;
        if (opener.open(Bytes(bytes).subspan(at), plain.data(), consumed, size) != RecordOpener::Status::ok) break;
        text += as_text(Bytes(plain).first(size));
        at += consumed;
    }
    return text;
}

void serve(Node& server, Told& told, const std::string& path) {
    uint64_t listener = 0;
    server.routes().set("words", {});
    REQUIRE(server.listen("unix://" + path, ListeningOptions{}, &listener));
    told.wait([&] { return told.listening; });
}

// One message, to the server that is reached there; then both close. The message goes before the server has accepted: whoever closes
// by then has been sent nothing.
void say_words(Node& client, Told& client_told, Node& server, Told& server_told, const std::string& path) {
    uint64_t peer = 0;
    REQUIRE(client.connect("unix://" + path + "#" + server.id().text(), DialOptions{}, &peer));
    OutMessage message{.route = "words", .body = as_bytes(kSecretBody)};
    REQUIRE(Peer::send(peer, message, nullptr, nullptr, nullptr) == Errc::ok);
    server_told.wait([&] { return server_told.message; });
    client_told.wait([&] { return client_told.connected; });
    static_cast<void>(client.close(kSecond));
    static_cast<void>(server.close(kSecond));
}

}  // namespace

TEST_CASE("a key log's lines open what was recorded, and its warning comes without a log") {
    const Folder folder;
    const std::string keys = folder.path + "/keys";
    Told server_told, client_told;
    auto server = open(server_told, {});
    auto client = open(client_told, keys);
    REQUIRE(server);
    REQUIRE(client);
    serve(**server, server_told, folder.path + "/server");
    Recorder recorder(folder.path + "/proxy", folder.path + "/server");
    say_words(**client, client_told, **server, server_told, folder.path + "/proxy");
    recorder.join();

    REQUIRE(client_told.lines.size() == 1);
    CHECK(client_told.lines[0].first == LogLevel::warning);
    CHECK(client_told.lines[0].second.find(keys) != std::string::npos);
    CHECK(server_told.lines.empty());
    struct stat info {};
    REQUIRE(stat(keys.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);

    const std::vector<Line> lines = lines_of(keys);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].label == "SEALWIRE_INITIATOR_KEY");
    CHECK(lines[1].label == "SEALWIRE_RESPONDER_KEY");
    for (const Line& line : lines) {
        CHECK(line.message_1 == std::vector<uint8_t>(recorder.forth.begin(), recorder.forth.begin() + 32));
        CHECK(line.channel_id == lines[0].channel_id);
        CHECK(line.channel_id.size() == 32);
    }
    CHECK(read_with(lines[0], recorder.forth, kMessage1Size + kMessage3Size).find(kSecretBody) != std::string::npos);
    CHECK_FALSE(read_with(lines[1], recorder.back, kMessage2Size).empty());
    CHECK(read_with(lines[1], recorder.forth, kMessage1Size + kMessage3Size).empty());
}

TEST_CASE("both ends write the same keys, one behind the other in one file") {
    const Folder folder;
    const std::string keys = folder.path + "/keys";
    Told server_told, client_told;
    auto server = open(server_told, keys);
    auto client = open(client_told, keys);
    REQUIRE(server);
    REQUIRE(client);
    serve(**server, server_told, folder.path + "/server");
    say_words(**client, client_told, **server, server_told, folder.path + "/server");
    const std::vector<Line> lines = lines_of(keys);
    REQUIRE(lines.size() == 4);
    for (const size_t i : {0, 1}) {
        CHECK(lines[i].label == lines[i + 2].label);
        CHECK(lines[i].key == lines[i + 2].key);
        CHECK(lines[i].message_1 == lines[i + 2].message_1);
    }
    CHECK(lines[0].key != lines[1].key);
}

TEST_CASE("a node does not open with a key log that cannot be written, or that others can read") {
    const Folder folder;
    Told told;
    const auto refusal = [&](const std::string& name, Errc code, std::string_view words) {
        const auto node = open(told, folder.path + name);
        REQUIRE_FALSE(node);
        CHECK(node.error().code == code);
        CAPTURE(node.error().detail);
        CHECK(node.error().detail.find(folder.path + name) != std::string::npos);
        CHECK(node.error().detail.find(words) != std::string::npos);
    };
    refusal("/no folder/keys", Errc::not_found, "");
    refusal("", Errc::file_type, "");
    REQUIRE(symlink("keys", (folder.path + "/link").c_str()) == 0);
    refusal("/link", Errc::file_type, "symbolic link");
    REQUIRE(mkfifo((folder.path + "/fifo").c_str(), 0600) == 0);
    refusal("/fifo", Errc::file_type, "");
    std::ofstream(folder.path + "/keys") << "";
    REQUIRE(chmod((folder.path + "/keys").c_str(), 0640) == 0);
    refusal("/keys", Errc::permission, "0600");
}

}  // namespace key_log_test

// Answers that the library gives itself, files by a worker, and everything else by an event.
#include "node/web.h"

#include <memory>
#include <mutex>

#include "file/web_folder.h"
#include "file/workers.h"
#include "node/listener.h"
#include "node/node.h"

namespace sealwire {

namespace {

constexpr size_t kFileBlock = 64 * 1024;

HttpAnswer text_answer(int status, std::string text) {
    HttpAnswer answer;
    answer.status = status;
    answer.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    answer.body = std::move(text);
    return answer;
}

bool reads(const HttpHead& head) { return head.method == "GET" || head.method == "HEAD"; }

// What a worker has done is told in a turn of the loop, if there still is one.
bool post_to(uint64_t node, std::function<void()> function) {
    Errc errc = Errc::ok;
    const std::shared_ptr<Node> found = Node::find(node, errc);
    return found && found->front().loop().post(std::move(function));
}

// Read block by block by workers, each when the one before has gone.
class FileBody final : public HttpBody {
public:
    FileBody(uint64_t node, std::shared_ptr<TransferHub> hub, std::unique_ptr<WebFile> file)
        : node_(node), hub_(std::move(hub)), state_(std::make_shared<State>(std::move(file))) {}
    uint64_t size() const override { return state_->file->size; }
    void next(std::function<void(Bytes)> take) override {
        state_->take = std::move(take);
        const std::weak_ptr<State> weak = state_;
        // The state is alive while a worker reads; what was read is told only while its body is.
        const bool runs = hub_->workers().run([state = state_, weak, node = node_]() mutable {
            state->block.resize(kFileBlock);
            state->block.resize(state->file->read(state->block));
            state.reset();
            post_to(node, [weak] { tell(weak); });
        });
        if (!runs)
            post_to(node_, [weak, state = state_] {
                state->block.clear();
                tell(weak);
            });
    }

private:
    struct State {
        explicit State(std::unique_ptr<WebFile> given) : file(std::move(given)) {}
        const std::unique_ptr<WebFile> file;
        std::vector<uint8_t> block;
        std::function<void(Bytes)> take;
    };
    static void tell(const std::weak_ptr<State>& weak) {
        const std::shared_ptr<State> state = weak.lock();
        if (!state || !state->take) return;
        const auto take = std::exchange(state->take, nullptr);
        take(state->block);
    }

    const uint64_t node_;
    const std::shared_ptr<TransferHub> hub_;
    const std::shared_ptr<State> state_;
};

}  // namespace

Web::Web(Node& node, uint64_t listener, WebOptions options, void* user)
    : node_(node), listener_(listener), options_(std::move(options)), user_(user) {}

void Web::answer(uint64_t number, HttpAnswer answer) {
    if (port_) port_->answer(number, std::move(answer));
}

void Web::on_http_request(uint64_t number, HttpRequest request) {
    const HttpHead& head = request.head;
    if (!options_.health.empty() && head.path == options_.health) {
        return answer(number, reads(head) ? text_answer(200, "ok\n") : text_answer(405, "GET only\n"));
    }
    if (!options_.metrics.empty() && head.path == options_.metrics && options_.metrics_text) {
        HttpAnswer metrics = text_answer(200, options_.metrics_text());
        metrics.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}, {"Cache-Control", "no-store"}};
        return answer(number, reads(head) ? std::move(metrics) : text_answer(405, "GET only\n"));
    }
    if (!options_.folder.empty() && reads(head)) return look_for_file(number, std::move(request));
    if (options_.requests) return ask(number, request, false);
    answer(number, text_answer(404, "Not Found\n"));
}

void Web::on_http_upgrade(uint64_t number, HttpRequest request) { ask(number, request, true); }

void Web::on_http_over(uint64_t number) {
    const std::lock_guard lock(HandleTable::process().mutex_of(listener_));
    asked_.erase(number);
}

void Web::ask(uint64_t number, const HttpRequest& request, bool upgrade) {
    {
        const std::lock_guard lock(HandleTable::process().mutex_of(listener_));
        asked_.insert(number);
    }
    NodeEvent event{.kind = upgrade ? NodeEventKind::http_upgrade : NodeEventKind::http_request};
    const HttpHead& head = request.head;
    const std::string words = head.method + ' ' + head.path + ' ' + head.query;  // none of them holds a space
    const std::string headers = pack_headers(head);
    event.listener = listener_;
    event.user = user_;
    event.number = number;
    event.text = words;
    event.address = request.remote;
    event.tlvs = as_bytes(headers);
    event.body = as_bytes(request.body);
    event.allowed = request.secure;
    node_.front().emit(event);
}

void Web::look_for_file(uint64_t number, HttpRequest request) {
    const auto asked = std::make_shared<HttpRequest>(std::move(request));
    const uint64_t node = node_.handle();
    const bool runs =
        node_.transfers()->workers().run([asked, number, node, listener = listener_, folder = options_.folder] {
            auto opened = std::make_shared<Result<std::unique_ptr<WebFile>>>(open_web_file(folder, asked->head.path));
            post_to(node, [asked, number, node, listener, opened] {
                Web* const web = Listening::web_of(listener);
                if (!web) return;
                if (!*opened && opened->error().code == Errc::file_type) {
                    HttpAnswer moved = text_answer(301, "");
                    const std::string query = asked->head.query.empty() ? "" : "?" + asked->head.query;
                    moved.headers = {{"Location", asked->head.path + "/" + query}};
                    return web->answer(number, std::move(moved));
                }
                if (!*opened) {
                    if (web->options_.requests) return web->ask(number, *asked, false);
                    return web->answer(number, text_answer(404, "Not Found\n"));
                }
                WebFile& file = ***opened;
                HttpAnswer found;
                found.headers = {{"Content-Type", file.type},
                                 {"ETag", file.tag},
                                 {"Cache-Control", "no-cache"},
                                 {"X-Content-Type-Options", "nosniff"}};
                if (asked->head.header("if-none-match") == file.tag) {
                    found.status = 304;
                    return web->answer(number, std::move(found));
                }
                if (file.size > 0) {
                    found.stream = std::make_unique<FileBody>(node, web->node_.transfers(), std::move(**opened));
                }
                web->answer(number, std::move(found));
            });
        });
    if (!runs) answer(number, text_answer(503, "Service Unavailable\n"));
}

std::string pack_headers(const HttpHead& head) {
    std::string out;
    for (const auto& [name, value] : head.headers) out.append(name).append(1, '\0').append(value).append(1, '\0');
    return out;
}

void for_each_header(std::string_view packed, const std::function<void(std::string_view, std::string_view)>& each) {
    const auto next = [&] {
        const size_t end = packed.find('\0');
        const std::string_view text = packed.substr(0, end);
        packed.remove_prefix(end == std::string_view::npos ? packed.size() : end + 1);
        return text;
    };
    while (!packed.empty()) {
        const std::string_view name = next();
        each(name, next());
    }
}

}  // namespace sealwire

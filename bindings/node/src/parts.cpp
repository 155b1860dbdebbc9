// NodeBox: streams and files on messages, and replies of which more follow: calls one by one, for what they carry is large.
#include <memory>

#include "node_box.h"
#include "talk.h"

namespace sealwire_node {

namespace {

// A file that was opened to be sent; none once it was.
struct OpenFile {
    sw_part_head head{};
    ~OpenFile() { sw_file_close(head.file); }
};

// On a thread of Node's pool, for it waits for the disk.
class Opening : public Napi::AsyncWorker {
public:
    Opening(Napi::Env env, std::string path, std::string name, uint64_t progress)
        : Napi::AsyncWorker(env, "sealwire.file"),
          path_(std::move(path)),
          name_(std::move(name)),
          progress_(progress),
          promise_(env),
          file_(std::make_unique<OpenFile>()) {}
    Napi::Promise promise() const { return promise_.Promise(); }

private:
    void Execute() override {
        sw_file_options options;
        sw_file_options_init(&options);
        options.name = text_of(name_);
        options.progress_bytes = progress_;
        result_ = sw_file_open(text_of(path_), &options, &file_->head);
        if (result_ != SW_OK) detail_ = sw_error_detail();  // of this thread
    }
    // => [file, name, size], or [result, detail]
    void OnOK() override {
        Napi::Array out = Napi::Array::New(Env());
        if (result_ == SW_OK) {
            out.Set(1u, sealwire_node::to_js(Env(), file_->head.name));
            out.Set(2u, Napi::Number::New(Env(), static_cast<double>(file_->head.size)));
            out.Set(0u, Napi::External<OpenFile>::New(Env(), file_.release(),
                                                      [](Napi::Env, OpenFile* file) { delete file; }));
        } else {
            out.Set(0u, to_js(Env(), result_));
            out.Set(1u, Napi::String::New(Env(), detail_));
        }
        promise_.Resolve(out);
    }

    const std::string path_, name_;
    const uint64_t progress_;
    std::string detail_;
    Napi::Promise::Deferred promise_;
    std::unique_ptr<OpenFile> file_;
    sw_result result_ = SW_OK;
};

// BLAKE2b-256 of what is written to a file by hand.
Napi::Value new_hasher(const Napi::CallbackInfo& info) {
    sw_hasher* hasher = nullptr;
    check(info.Env(), sw_hasher_create(&hasher));
    return Napi::External<sw_hasher>::New(info.Env(), hasher, [](Napi::Env, sw_hasher* old) { sw_hasher_free(old); });
}

// (hasher, bytes)
void hasher_add(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_hasher_add(info[0].As<Napi::External<sw_hasher>>().Data(), bytes_arg(info[1])));
}

Napi::Value hasher_digest(const Napi::CallbackInfo& info) {
    uint8_t digest[SW_DIGEST_SIZE];
    check(info.Env(), sw_hasher_digest(info[0].As<Napi::External<sw_hasher>>().Data(), digest));
    return sealwire_node::to_js(info.Env(), sw_bytes{digest, sizeof digest});
}

// (path, name, progress) => a promise
Napi::Value open_file(const Napi::CallbackInfo& info) {
    const auto progress = static_cast<uint64_t>(info[2].As<Napi::Number>().Int64Value());
    auto* work = new Opening(info.Env(), text_arg(info[0]), text_arg(info[1]), progress);
    work->Queue();
    return work->promise();
}

// [[name, size or -1, kind, type, opened file or nothing], ...] as heads, with memory for the names and the handles.
struct Heads {
    std::vector<std::string> names;
    std::vector<sw_part_head> heads;
    std::vector<sw_part> parts;
    std::vector<OpenFile*> files;

    explicit Heads(const Napi::Value& value) {
        if (!value.IsArray()) return;
        const auto rows = value.As<Napi::Array>();
        names.reserve(rows.Length());  // the texts point into it
        for (uint32_t i = 0; i < rows.Length(); ++i) {
            const auto row = rows.Get(i).As<Napi::Array>();
            const double size = row.Get(1u).As<Napi::Number>().DoubleValue();
            names.push_back(text_arg(row.Get(0u)));
            sw_part_head head{};
            head.name = text_of(names.back());
            head.size_known = size >= 0;
            head.size = size >= 0 ? static_cast<uint64_t>(size) : 0;
            head.kind = u32_arg(row.Get(2u));
            head.type = u32_arg(row.Get(3u));
            if (const Napi::Value file = row.Get(4u); file.IsExternal()) {
                files.push_back(file.As<Napi::External<OpenFile>>().Data());
                head.file = files.back()->head.file;
            }
            heads.push_back(head);
        }
        parts.resize(heads.size());
    }

    template <class Options>
    void set(Options& options) {
        if (heads.empty()) return;
        options.parts = heads.data();
        options.part_count = heads.size();
        options.part_handles = parts.data();
    }

    // => [exchange's low half, high half, number of each part ...]
    // Of a message that was taken, and its files with it.
    Napi::Array numbers(Napi::Env env, const sw_exchange& exchange) const {
        for (OpenFile* file : files) file->head.file = nullptr;
        Napi::Array all = Napi::Array::New(env, 2 + parts.size());
        all.Set(0u, Napi::Number::New(env, static_cast<int32_t>(static_cast<uint32_t>(exchange.number))));
        all.Set(1u, Napi::Number::New(env, static_cast<int32_t>(static_cast<uint32_t>(exchange.number >> 32))));
        for (uint32_t i = 0; i < parts.size(); ++i) {
            all.Set(2 + i, Napi::Number::New(env, static_cast<double>(parts[i].number)));
        }
        return all;
    }
};

}  // namespace

void add_files(Napi::Env env, Napi::Object exports) {
    exports.Set("openFile", Napi::Function::New(env, open_file));
    exports.Set("newHasher", Napi::Function::New(env, new_hasher));
    exports.Set("hasherAdd", Napi::Function::New(env, hasher_add));
    exports.Set("hasherDigest", Napi::Function::New(env, hasher_digest));
}

// The first three arguments: (peer, low, high).
sw_exchange NodeBox::exchange_arg(const Napi::CallbackInfo& info) const {
    return {peer_arg(info), u32_arg(info[1]) | static_cast<uint64_t>(u32_arg(info[2])) << 32};
}

// (peer, route or draft, type, body, expects, tag, timeout, heads, extras, between, total, converse, receipt, attempts, backoff, its
// longest) => a result, or the numbers of Heads::numbers(), and behind them the receipt's. What is sent without an answer has a tag,
// too: its end comes as DONE.
Napi::Value NodeBox::open_parts(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const uint32_t slot = u32_arg(info[0]);
    if (!wake_ || slot >= peers_.size()) return to_js(env, SW_ERR_CLOSED);
    Peer& peer = peers_[slot];
    if (peer.blocked) return to_js(env, SW_ERR_AGAIN);
    const sw_draft* const draft = info[1].IsNumber() ? draft_at(u32_arg(info[1])) : nullptr;
    if (info[1].IsNumber() && !draft) return to_js(env, SW_ERR_ARG);
    const std::string route = draft ? std::string() : text_arg(info[1]);
    const uint32_t type = draft ? 0 : u32_arg(info[2]);
    const uint32_t expects = u32_arg(info[4]), tag = u32_arg(info[5]);
    if (tag >= requests_.size()) requests_.resize(size_t{tag} + 1);
    void* user = reinterpret_cast<void*>(static_cast<uintptr_t>(tag));
    Heads heads(info[7]);
    const Extras extras(info[8]);
    const uint32_t stages = expects == SW_EXPECTS_NONE ? u32_arg(info[12]) : 0;
    uint64_t receipt = 0;
    sw_result result;
    if (expects == SW_EXPECTS_NONE) {
        sw_send_options options;
        sw_send_options_init(&options);
        options.type = type;
        options.draft = draft;
        options.user = user;
        options.exchange = &requests_[tag];
        options.receipt = stages;
        options.receipt_number = stages ? &receipt : nullptr;
        heads.set(options);
        extras.set(options);
        result = sw_peer_send(peer.handle, text_of(route), bytes_arg(info[3]), &options);
    } else {
        sw_request_options options;
        sw_request_options_init(&options);
        options.type = type;
        options.draft = draft;
        options.timeout_ms = u32_arg(info[6]);
        options.expects = expects;
        options.user = user;
        options.between_ms = u32_arg(info[9]);
        options.total_ms = u32_arg(info[10]);
        options.converse = u32_arg(info[11]);
        options.attempts = u32_arg(info[13]);
        options.backoff_ms = u32_arg(info[14]);
        options.backoff_max_ms = u32_arg(info[15]);
        heads.set(options);
        extras.set(options);
        result = sw_peer_request(peer.handle, text_of(route), bytes_arg(info[3]), &options, &requests_[tag]);
    }
    peer.blocked = result == SW_ERR_AGAIN;
    if (result != SW_OK) return to_js(env, result);
    Napi::Array numbers = heads.numbers(env, requests_[tag]);
    if (stages) numbers.Set(numbers.Length(), Napi::Number::New(env, static_cast<double>(receipt)));
    return numbers;
}

// (peer, low, high, type, body, more, heads, extras) => a result, or the numbers
Napi::Value NodeBox::reply(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (!wake_) return to_js(env, SW_ERR_CLOSED);
    const sw_exchange exchange = exchange_arg(info);
    Heads heads(info[6]);
    const Extras extras(info[7]);
    sw_send_options options;
    sw_send_options_init(&options);
    options.type = u32_arg(info[3]);
    options.more = u32_arg(info[5]);
    heads.set(options);
    extras.set(options);
    const sw_result result = sw_exchange_reply(exchange, bytes_arg(info[4]), &options);
    if (result != SW_OK || heads.heads.empty()) return to_js(env, result);
    return heads.numbers(env, exchange);
}

// (peer, low, high, code, text, type, details) => a result: an error with details.
Napi::Value NodeBox::status(const Napi::CallbackInfo& info) {
    const std::string text = text_arg(info[4]);
    sw_status_options options;
    sw_status_options_init(&options);
    options.details_type = u32_arg(info[5]);
    options.details = bytes_arg(info[6]);
    const sw_exchange exchange = exchange_arg(info);
    return to_js(info.Env(), sw_exchange_status_with(exchange, u32_arg(info[3]), text_of(text), &options));
}

// (peer, low, high, part, bytes, end, digest) => a result
Napi::Value NodeBox::part_write(const Napi::CallbackInfo& info) {
    if (!wake_) return to_js(info.Env(), SW_ERR_CLOSED);
    constexpr uint32_t kBlake2b256 = 1;
    sw_part_options options;
    sw_part_options_init(&options);
    options.end = u32_arg(info[5]);
    options.digest = bytes_arg(info[6]);
    options.digest_algorithm = options.digest.size > 0 ? kBlake2b256 : 0;
    return to_js(info.Env(), sw_part_write({exchange_arg(info), u32_arg(info[3])}, bytes_arg(info[4]), &options));
}

// (peer, low, high, part, bytes) => a result
Napi::Value NodeBox::part_read(const Napi::CallbackInfo& info) {
    if (!wake_) return to_js(info.Env(), SW_ERR_CLOSED);
    return to_js(info.Env(), sw_part_read({exchange_arg(info), u32_arg(info[3])}, u32_arg(info[4])));
}

// (peer, low, high, part, name, size or -1, folder, name of the file, most or -1, unchecked, progress) => a result
Napi::Value NodeBox::part_save(const Napi::CallbackInfo& info) {
    if (!wake_) return to_js(info.Env(), SW_ERR_CLOSED);
    const std::string name = text_arg(info[4]), folder = text_arg(info[6]), own_name = text_arg(info[7]);
    const int64_t size = info[5].As<Napi::Number>().Int64Value(), most = info[8].As<Napi::Number>().Int64Value();
    sw_part_info part{};
    part.part = {exchange_arg(info), u32_arg(info[3])};
    part.head.name = text_of(name);
    part.head.size_known = size >= 0;
    part.head.size = size >= 0 ? static_cast<uint64_t>(size) : 0;
    sw_save_options options;
    sw_save_options_init(&options);
    options.name = text_of(own_name);
    options.most_bytes = most < 0 ? SW_EVERYTHING : static_cast<uint64_t>(most);
    options.unchecked = u32_arg(info[9]);
    options.progress_bytes = u32_arg(info[10]);
    const sw_result result = sw_part_save(&part, text_of(folder), &options);
    if (result == SW_ERR_HANDLE || result == SW_ERR_CLOSED) return to_js(info.Env(), result);
    check(info.Env(), result);
    return to_js(info.Env(), result);
}

// (peer, low, high, part, code) => a result
Napi::Value NodeBox::part_cancel(const Napi::CallbackInfo& info) {
    if (!wake_) return to_js(info.Env(), SW_ERR_CLOSED);
    return to_js(info.Env(), sw_part_cancel({exchange_arg(info), u32_arg(info[3])}, u32_arg(info[4])));
}

}  // namespace sealwire_node

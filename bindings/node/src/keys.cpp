// Identities, peer ids, networks, secrets of topics and tickets for JavaScript.
#include <algorithm>
#include <cstring>
#include <optional>

#include "addon.h"

namespace sealwire_node {

namespace {

constexpr napi_type_tag kIdentityTag = {0x5ea1f1e5c0de0001, 0x9d3c5b7a11e24f08};

Napi::Value wrap(Napi::Env env, sw_identity* identity) {
    auto external =
        Napi::External<sw_identity>::New(env, identity, [](Napi::Env, sw_identity* i) { sw_identity_free(i); });
    external.TypeTag(&kIdentityTag);
    return external;
}

Napi::Value identity_generate(const Napi::CallbackInfo& info) {
    sw_identity* identity = nullptr;
    check(info.Env(), sw_identity_generate(&identity));
    return wrap(info.Env(), identity);
}

Napi::Value identity_from_seed(const Napi::CallbackInfo& info) {
    sw_identity* identity = nullptr;
    check(info.Env(), sw_identity_from_seed(bytes_arg(info[0]), &identity));
    return wrap(info.Env(), identity);
}

Napi::Value identity_load(const Napi::CallbackInfo& info) {
    sw_identity* identity = nullptr;
    check(info.Env(), sw_identity_load(text_of(text_arg(info[0])), &identity));
    return wrap(info.Env(), identity);
}

void identity_save(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_identity_save(identity_arg(info[0]), text_of(text_arg(info[1]))));
}

// A copy in the garbage-collected heap, which nobody wipes: the application asked for it.
Napi::Value identity_seed(const Napi::CallbackInfo& info) {
    Napi::Uint8Array seed = Napi::Uint8Array::New(info.Env(), SW_SEED_SIZE);
    check(info.Env(), sw_identity_seed(identity_arg(info[0]), seed.Data()));
    return seed;
}

Napi::Value identity_id(const Napi::CallbackInfo& info) {
    sw_peer_id id{};
    check(info.Env(), sw_identity_id(identity_arg(info[0]), &id));
    return to_js(info.Env(), id);
}

Napi::Value peer_id_bytes(const Napi::CallbackInfo& info) {
    sw_peer_id id{};
    check(info.Env(), sw_peer_id_parse(text_of(text_arg(info[0])), &id));
    return to_js(info.Env(), sw_bytes{id.bytes, SW_PEER_ID_SIZE});
}

Napi::Value peer_id_text(const Napi::CallbackInfo& info) {
    const sw_bytes bytes = bytes_arg(info[0]);
    if (bytes.size != SW_PEER_ID_SIZE) throw error_of(info.Env(), SW_ERR_KEY);
    sw_peer_id id{};
    std::memcpy(id.bytes, bytes.data, SW_PEER_ID_SIZE);
    return to_js(info.Env(), id);
}

Napi::Value network_generate(const Napi::CallbackInfo& info) {
    char text[SW_NETWORK_TEXT_SIZE];
    check(info.Env(), sw_network_generate(text));
    return Napi::String::New(info.Env(), text);
}

void network_check(const Napi::CallbackInfo& info) { check(info.Env(), sw_network_check(text_of(text_arg(info[0])))); }

// About a second of work: done on a thread of the runtime's pool.
class Passphrase final : public Napi::AsyncWorker {
public:
    Passphrase(Napi::Env env, std::string passphrase, std::optional<std::string> topic)
        : Napi::AsyncWorker(env, "sealwire.passphrase"),
          passphrase_(std::move(passphrase)),
          topic_(std::move(topic)),
          promise_(env) {}
    ~Passphrase() override {
        explicit_bzero(passphrase_.data(), passphrase_.size());
        explicit_bzero(text_, sizeof text_);
    }
    Napi::Promise promise() const { return promise_.Promise(); }

private:
    void Execute() override {
        result_ = topic_ ? sw_topic_secret_from_passphrase(text_of(passphrase_), text_of(*topic_), text_)
                         : sw_network_from_passphrase(text_of(passphrase_), text_);
        if (result_ != SW_OK) detail_ = sw_error_detail();  // of this thread
    }
    void OnOK() override {
        if (result_ == SW_OK) promise_.Resolve(Napi::String::New(Env(), text_));
        else promise_.Reject(error_of(Env(), result_, detail_).Value());
    }

    std::string passphrase_, detail_;
    std::optional<std::string> topic_;  // none: of a network
    Napi::Promise::Deferred promise_;
    sw_result result_ = SW_OK;
    char text_[std::max(SW_NETWORK_TEXT_SIZE, SW_TOPIC_SECRET_TEXT_SIZE)] = {};
};

Napi::Value network_from_passphrase(const Napi::CallbackInfo& info) {
    auto* work = new Passphrase(info.Env(), text_arg(info[0]), std::nullopt);
    work->Queue();
    return work->promise();
}

Napi::Value topic_secret_generate(const Napi::CallbackInfo& info) {
    char text[SW_TOPIC_SECRET_TEXT_SIZE];
    check(info.Env(), sw_topic_secret_generate(text));
    return Napi::String::New(info.Env(), text);
}

void topic_secret_check(const Napi::CallbackInfo& info) {
    check(info.Env(), sw_topic_secret_check(text_of(text_arg(info[0]))));
}

// (passphrase, name of the topic)
Napi::Value topic_secret_from_passphrase(const Napi::CallbackInfo& info) {
    auto* work = new Passphrase(info.Env(), text_arg(info[0]), text_arg(info[1]));
    work->Queue();
    return work->promise();
}

Napi::Value ticket_make(const Napi::CallbackInfo& info) {
    sw_peer_id id{};
    check(info.Env(), sw_peer_id_parse(text_of(text_arg(info[1])), &id));
    char ticket[SW_ADDRESS_TEXT_SIZE];
    check(info.Env(), sw_ticket_make(text_of(text_arg(info[0])), &id, ticket));
    return Napi::String::New(info.Env(), ticket);
}

// => [address, id]
Napi::Value ticket_split(const Napi::CallbackInfo& info) {
    sw_peer_id id{};
    char address[SW_ADDRESS_TEXT_SIZE];
    check(info.Env(), sw_ticket_split(text_of(text_arg(info[0])), address, &id));
    Napi::Array both = Napi::Array::New(info.Env(), 2);
    both.Set(0u, Napi::String::New(info.Env(), address));
    both.Set(1u, to_js(info.Env(), id));
    return both;
}

}  // namespace

sw_identity* identity_arg(const Napi::Value& value) {
    if (!value.IsExternal() || !value.As<Napi::External<sw_identity>>().CheckTypeTag(&kIdentityTag)) {
        throw Napi::TypeError::New(value.Env(), "not an identity");
    }
    return value.As<Napi::External<sw_identity>>().Data();
}

void add_keys(Napi::Env env, Napi::Object exports) {
    const auto add = [&](const char* name, Napi::Value (*fn)(const Napi::CallbackInfo&)) {
        exports.Set(name, Napi::Function::New(env, fn, name));
    };
    const auto add_void = [&](const char* name, void (*fn)(const Napi::CallbackInfo&)) {
        exports.Set(name, Napi::Function::New(env, fn, name));
    };
    add("identityGenerate", identity_generate);
    add("identityFromSeed", identity_from_seed);
    add("identityLoad", identity_load);
    add_void("identitySave", identity_save);
    add("identitySeed", identity_seed);
    add("identityId", identity_id);
    add("peerIdBytes", peer_id_bytes);
    add("peerIdText", peer_id_text);
    add("networkGenerate", network_generate);
    add_void("networkCheck", network_check);
    add("networkFromPassphrase", network_from_passphrase);
    add("topicSecretGenerate", topic_secret_generate);
    add_void("topicSecretCheck", topic_secret_check);
    add("topicSecretFromPassphrase", topic_secret_from_passphrase);
    add("ticketMake", ticket_make);
    add("ticketSplit", ticket_split);
}

}  // namespace sealwire_node

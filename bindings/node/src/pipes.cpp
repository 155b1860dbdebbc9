// NodeBox: pipes that the program carries; lib/pipes.ts moves the bytes.
#include "node_box.h"

namespace sealwire_node {

namespace {

constexpr size_t kBlock = 64 * 1024;  // taken at a time

}  // namespace

void NodeBox::add_pipe(uint32_t number, sw_pipe pipe) {
    pipes_[number] = pipe;
    pipe_numbers_[pipe.value] = number;
}

void NodeBox::forget_pipe(sw_pipe pipe) {
    const auto found = pipe_numbers_.find(pipe.value);
    if (found == pipe_numbers_.end()) return;
    pipes_.erase(found->second);
    pipe_numbers_.erase(found);
}

sw_pipe NodeBox::pipe_arg(const Napi::CallbackInfo& info) const {
    const auto found = pipes_.find(u32_arg(info[0]));
    return found == pipes_.end() ? sw_pipe{} : found->second;
}

// (number, id, address, buffer, timeout, data, whether the data come by hello()) => slot of the peer
Napi::Value NodeBox::connect_pipe(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const uint32_t number = u32_arg(info[0]);
    const std::string id_text = text_arg(info[1]);
    const std::string address = text_arg(info[2]);
    sw_peer_id id;
    check(env, sw_peer_id_parse(text_of(id_text), &id));
    sw_pipe_options pipe_options;
    sw_pipe_options_init(&pipe_options);
    pipe_options.user = user_of(number);
    pipe_options.address = text_of(address);
    pipe_options.buffer_bytes = u32_arg(info[3]);
    sw_connect_options options;
    sw_connect_options_init(&options);
    options.timeout_ms = u32_arg(info[4]);
    options.data = bytes_arg(info[5]);
    options.data_on_demand = info[6].ToBoolean();
    options.channel = u32_arg(info[7]);
    options.shs_network = bytes_arg(info[8]);
    sw_pipe pipe{};
    sw_peer peer{};
    check(env, sw_node_connect_pipe(node_, &id, &pipe_options, &options, &pipe, &peer));
    add_pipe(number, pipe);
    return Napi::Number::New(env, slot_of(peer, true));
}

// (number, address, buffer, number of the listener or 0, channel, network identifier)
void NodeBox::accept_pipe(const Napi::CallbackInfo& info) {
    const uint32_t number = u32_arg(info[0]);
    const std::string address = text_arg(info[1]);
    sw_pipe_options options;
    sw_pipe_options_init(&options);
    options.user = user_of(number);
    options.address = text_of(address);
    options.buffer_bytes = u32_arg(info[2]);
    if (const uint32_t listener = u32_arg(info[3]); listener != 0) {
        const auto found = listeners_.find(listener);
        if (found == listeners_.end()) throw error_of(info.Env(), SW_ERR_HANDLE);
        options.listener = found->second;
    }
    options.channel = u32_arg(info[4]);
    options.shs_network = bytes_arg(info[5]);
    sw_pipe pipe{};
    check(info.Env(), sw_node_accept_pipe(node_, &options, &pipe));
    add_pipe(number, pipe);
}

// (number, bytes) => a result
Napi::Value NodeBox::pipe_give(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), sw_pipe_give(pipe_arg(info), bytes_arg(info[1])));
}

// (number) => bytes, or a result; none and SW_OK: nothing for now
Napi::Value NodeBox::pipe_take(const Napi::CallbackInfo& info) {
    if (pipe_room_.empty()) pipe_room_.resize(kBlock);
    size_t size = 0;
    const sw_result result = sw_pipe_take(pipe_arg(info), pipe_room_.data(), pipe_room_.size(), &size);
    if (result != SW_OK || size == 0) return Napi::Number::New(info.Env(), result);
    return to_js(info.Env(), sw_bytes{pipe_room_.data(), size});
}

// (number) => a result
Napi::Value NodeBox::pipe_end(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), sw_pipe_end(pipe_arg(info)));
}

// (number, why) => a result
Napi::Value NodeBox::pipe_fail(const Napi::CallbackInfo& info) {
    const std::string why = text_arg(info[1]);
    return Napi::Number::New(info.Env(), sw_pipe_fail(pipe_arg(info), text_of(why)));
}

}  // namespace sealwire_node

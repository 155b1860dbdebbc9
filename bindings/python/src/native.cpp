// sealwire._native: the C API as the Python half sees it; here what is called rarely, by pybind11.
#include "native.h"

#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace py = pybind11;

namespace binding {

namespace {

// From sealwire._errors: (result, detail, peer) -> exception, and (exception) -> that of a wrong argument.
PyObject *make_call_error = nullptr, *make_argument_error = nullptr;

void check(sw_result result) {
    if (result == SW_OK) return;
    raise_result(result);
    throw py::error_already_set();
}

sw_text text(const std::string& string) { return {string.data(), string.size()}; }

class Identity {
public:
    explicit Identity(sw_identity* identity) : identity_(identity, sw_identity_free) {}
    static Identity generate() {
        sw_identity* identity = nullptr;
        check(sw_identity_generate(&identity));
        return Identity(identity);
    }
    static Identity from_seed(const py::bytes& seed) {
        sw_identity* identity = nullptr;
        check(sw_identity_from_seed({PyBytes_AS_STRING(seed.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(seed.ptr()))},
                                    &identity));
        return Identity(identity);
    }
    static Identity load(const std::string& path) {
        sw_identity* identity = nullptr;
        check(sw_identity_load(text(path), &identity));
        return Identity(identity);
    }
    void save(const std::string& path) const { check(sw_identity_save(identity_.get(), text(path))); }
    py::bytes seed() const {
        uint8_t seed[SW_SEED_SIZE];
        check(sw_identity_seed(identity_.get(), seed));
        return {reinterpret_cast<const char*>(seed), sizeof seed};
    }
    std::string id() const {
        sw_peer_id id;
        char out[SW_PEER_ID_TEXT_SIZE];
        check(sw_identity_id(identity_.get(), &id));
        check(sw_peer_id_text(&id, out));
        return out;
    }
    const sw_identity* get() const { return identity_.get(); }

private:
    std::unique_ptr<sw_identity, void (*)(sw_identity*)> identity_;
};

// How many connections may come in; shared by nodes and listeners, which keep what is inside.
class Limits {
public:
    Limits() : limits_(nullptr, sw_limits_free) {
        sw_limits* made = nullptr;
        check(sw_limits_create(nullptr, &made));
        limits_.reset(made);
    }
    void set(uint32_t connections, uint32_t per_key, uint32_t per_address, uint32_t per_subnet) {
        sw_limits_options options;
        sw_limits_options_init(&options);
        options.max_connections = connections;
        options.max_per_key = per_key;
        options.max_per_address = per_address;
        options.max_per_subnet = per_subnet;
        check(sw_limits_set(limits_.get(), &options));
    }
    py::tuple counts() const {
        sw_limits_counts counts{};
        counts.size = sizeof counts;
        check(sw_limits_get_counts(limits_.get(), &counts));
        return py::make_tuple(counts.connections, counts.refused_by_address, counts.refused_by_limit);
    }
    sw_limits* get() const { return limits_.get(); }

private:
    std::unique_ptr<sw_limits, void (*)(sw_limits*)> limits_;
};

sw_limits* limits_in(const py::dict& options) {
    const char* const name = "connection_limits";
    return options.contains(name) && !options[name].is_none() ? options[name].cast<const Limits&>().get() : nullptr;
}

// Texts of a list, which `kept` holds.
std::vector<sw_text> texts_of(const py::object& list, std::vector<std::string>& kept) {
    for (const py::handle one : list) kept.push_back(one.cast<std::string>());
    std::vector<sw_text> texts;
    for (const std::string& one : kept) texts.push_back(text(one));
    return texts;
}

sw_peer_id parse_id(const std::string& id) {
    sw_peer_id out;
    check(sw_peer_id_parse(text(id), &out));
    return out;
}

std::vector<sw_peer_id> parse_ids(const py::list& ids) {
    std::vector<sw_peer_id> out;
    for (const py::handle id : ids) out.push_back(parse_id(id.cast<std::string>()));
    return out;
}

Core* core_of(const py::handle& object) {
    if (!PyObject_TypeCheck(object.ptr(), core_type)) throw py::type_error("not a Core");
    return reinterpret_cast<Core*>(object.ptr());
}
sw_node node_of(const py::handle& object) {
    CoreState* state = state_of(core_of(object));
    if (!state) throw py::error_already_set();
    return state->node;
}

void open(const py::handle& core, int descriptor, const Identity* identity, const std::string& network, uint32_t access,
          const py::list& allowed, uint32_t log_level, const py::dict& limits) {
    const std::vector<sw_peer_id> ids = parse_ids(allowed);
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = access;
    options.identity = identity ? identity->get() : nullptr;
    options.network = text(network);
    options.allowed = ids.data();
    options.allowed_count = ids.size();
    options.log = log_level < SW_LOG_NONE;
    options.log_level = log_level;
    const auto set = [&limits](const char* name, auto& field) {
        if (limits.contains(name)) field = limits[name].cast<std::remove_reference_t<decltype(field)>>();
    };
    set("send_queue_bytes", options.send_queue_bytes);
    set("max_message_bytes", options.max_message_bytes);
    set("window_bytes", options.window_bytes);
    set("exchange_slots", options.exchange_slots);
    set("handshake_timeout_ms", options.handshake_timeout_ms);
    set("decision_timeout_ms", options.decision_timeout_ms);
    set("request_timeout_ms", options.request_timeout_ms);
    set("padding_bytes", options.padding_bytes);
    set("memory_bytes", options.memory_bytes);
    set("application_data_bytes", options.application_data_bytes);
    set("ask_allowed", options.ask_allowed);
    set("several_sessions", options.several_sessions);
    set("lease_ms", options.lease_ms);
    set("redial_ms", options.redial_ms);
    set("redial_max_ms", options.redial_max_ms);
    set("heartbeat_ms", options.heartbeat_ms);
    set("heartbeat_count", options.heartbeat_count);
    set("refresh_ms", options.refresh_ms);
    set("max_suspended_per_address", options.max_suspended_per_address);
    set("loop_threads", options.loop_threads);
    set("topics_per_peer", options.topics_per_peer);
    set("hub", options.hub);
    const auto hubs = limits.contains("hubs") ? parse_ids(limits["hubs"]) : std::vector<sw_peer_id>();
    options.hubs = hubs.data();
    options.hubs_count = hubs.size();
    const std::string accept_data = limits.contains("accept_data") ? limits["accept_data"].cast<std::string>() : "";
    options.accept_data = {accept_data.data(), accept_data.size()};
    const std::string key_log = limits.contains("key_log") ? limits["key_log"].cast<std::string>() : "";
    options.key_log = text(key_log);
    options.connection_limits = limits_in(limits);
    check(open_core(core_of(core), options, descriptor));
}

using Channel = std::pair<uint32_t, py::bytes>;

// The options point into `channel`.
template <class Options>
void set_channel(const Channel& channel, Options& options) {
    options.channel = channel.first;
    options.shs_network = {PyBytes_AS_STRING(channel.second.ptr()),
                           static_cast<size_t>(PyBytes_GET_SIZE(channel.second.ptr()))};
}

// Texts that options point into, by the names of their fields.
class Texts {
public:
    explicit Texts(const py::dict& given) : given_(given) {}
    void set(const char* name, sw_text& field) {
        if (!given_.contains(name)) return;
        kept_.push_back(std::make_unique<std::string>(given_[name].cast<std::string>()));
        field = text(*kept_.back());
    }
    void set(const char* name, uint32_t& field) {
        if (given_.contains(name)) field = given_[name].cast<uint32_t>();
    }

private:
    const py::dict& given_;
    std::vector<std::unique_ptr<std::string>> kept_;
};

void set_http(Texts& given, sw_http_options& http) {
    given.set("requests", http.requests);
    given.set("upgrades", http.upgrades);
    given.set("health_path", http.health_path);
    given.set("metrics_path", http.metrics_path);
    given.set("folder", http.folder);
    given.set("origins", http.origins);
    given.set("max_head_bytes", http.max_head_bytes);
    given.set("max_body_bytes", http.max_body_bytes);
    given.set("max_connections", http.max_connections);
    given.set("head_ms", http.head_ms);
    given.set("body_ms", http.body_ms);
    given.set("answer_ms", http.answer_ms);
    given.set("idle_ms", http.idle_ms);
}

void http_answer(uint64_t listener, uint64_t number, uint32_t status, const py::bytes& body,
                 const std::vector<std::pair<std::string, std::string>>& headers) {
    std::vector<sw_pair> pairs;
    for (const auto& [name, value] : headers) pairs.push_back({text(name), text(value)});
    sw_http_answer_options options;
    sw_http_answer_options_init(&options);
    options.headers = pairs.data();
    options.header_count = pairs.size();
    check(sw_http_answer({{listener}, number}, status,
                         {PyBytes_AS_STRING(body.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(body.ptr()))}, &options));
}

// What stands in a dictionary of sealwire._tls, whose texts live as long as this.
class TlsTexts {
public:
    explicit TlsTexts(const std::optional<py::dict>& given) : given_(given.has_value()) {
        sw_tls_options_init(&options_);
        if (!given) return;
        const auto set = [&](const char* name, sw_text& field) {
            if (!given->contains(name)) return;
            const py::bytes value = (*given)[name].cast<py::bytes>();
            kept_.push_back(value);
            field = {PyBytes_AS_STRING(value.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(value.ptr()))};
        };
        set("ca", options_.ca);
        set("ca_file", options_.ca_file);
        set("certificate", options_.certificate);
        set("certificate_file", options_.certificate_file);
        set("key", options_.key);
        set("key_file", options_.key_file);
        set("crl", options_.crl);
        set("crl_file", options_.crl_file);
        set("server_name", options_.server_name);
        if (given->contains("clients")) options_.clients = (*given)["clients"].cast<uint32_t>();
        if (given->contains("min_version")) options_.min_version = (*given)["min_version"].cast<uint32_t>();
    }
    const sw_tls_options* get() const { return given_ ? &options_ : nullptr; }

private:
    const bool given_;
    sw_tls_options options_{};
    std::vector<py::bytes> kept_;
};

// `limits`: those that were given, by the names of their fields. `channel`: its number and, of shs1, the network identifier.
uint64_t listen_at(const py::handle& core, const std::string& url, const py::dict& limits, const Channel& channel,
                   const std::optional<py::dict>& http, const std::optional<py::dict>& tls) {
    const TlsTexts tls_texts(tls);
    sw_listen_options options;
    sw_listen_options_init(&options);
    set_channel(channel, options);
    const auto set = [&limits](const char* name, uint32_t& field) {
        if (limits.contains(name)) field = limits[name].cast<uint32_t>();
    };
    set("unix_mode", options.unix_mode);
    set("max_handshakes", options.max_handshakes);
    set("max_handshakes_per_address", options.max_handshakes_per_address);
    set("handshakes_per_second", options.handshakes_per_second);
    set("handshake_burst", options.handshake_burst);
    set("handshake_share_percent", options.handshake_share_percent);
    sw_http_options http_options;
    sw_http_options_init(&http_options);
    const py::dict none;
    Texts texts(http ? *http : none);
    if (http) {
        set_http(texts, http_options);
        options.http = &http_options;
    }
    options.connection_limits = limits_in(limits);
    std::vector<std::string> kept_allow, kept_deny;
    const std::vector<sw_text> allow = texts_of(limits["allow_addresses"], kept_allow);
    const std::vector<sw_text> deny = texts_of(limits["deny_addresses"], kept_deny);
    options.allow_addresses = allow.data();
    options.allow_count = allow.size();
    options.deny_addresses = deny.data();
    options.deny_count = deny.size();
    options.tls = tls_texts.get();
    sw_listener listener{};
    check(sw_node_listen(node_of(core), text(url), &options, &listener));
    return listener.value;
}

// `data`: bytes, or None: they are given by _hello, when PEER_PROVED has come.
uint64_t connect(const py::handle& core, const std::string& ticket, uint32_t timeout_ms,
                 const std::optional<py::bytes>& data, const Channel& channel, const std::optional<py::dict>& tls) {
    const TlsTexts texts(tls);
    const std::string bytes = data ? std::string(*data) : std::string();
    sw_connect_options options;
    sw_connect_options_init(&options);
    set_channel(channel, options);
    options.timeout_ms = timeout_ms;
    options.data = {bytes.data(), bytes.size()};
    options.data_on_demand = !data;
    options.tls = texts.get();
    sw_peer peer{};
    check(sw_node_connect(node_of(core), text(ticket), &options, &peer));
    return peer.value;
}

// `timeout_ms` and `data` as of connect. The handles of both.
std::pair<uint64_t, uint64_t> connect_pipe(const py::handle& core, const std::string& id, const std::string& address,
                                           uint32_t buffer_bytes, uint32_t timeout_ms,
                                           const std::optional<py::bytes>& data, const Channel& channel) {
    const sw_peer_id peer_id = parse_id(id);
    const std::string bytes = data ? std::string(*data) : std::string();
    sw_pipe_options pipe_options;
    sw_pipe_options_init(&pipe_options);
    pipe_options.address = text(address);
    pipe_options.buffer_bytes = buffer_bytes;
    sw_connect_options options;
    sw_connect_options_init(&options);
    options.timeout_ms = timeout_ms;
    options.data = {bytes.data(), bytes.size()};
    options.data_on_demand = !data;
    set_channel(channel, options);
    sw_pipe pipe{};
    sw_peer peer{};
    check(sw_node_connect_pipe(node_of(core), &peer_id, &pipe_options, &options, &pipe, &peer));
    return {pipe.value, peer.value};
}

uint64_t accept_pipe(const py::handle& core, const std::string& address, uint32_t buffer_bytes, uint64_t listener,
                     const Channel& channel) {
    sw_pipe_options options;
    sw_pipe_options_init(&options);
    options.address = text(address);
    options.buffer_bytes = buffer_bytes;
    options.listener = {listener};
    set_channel(channel, options);
    sw_pipe pipe{};
    check(sw_node_accept_pipe(node_of(core), &options, &pipe));
    return pipe.value;
}

std::string node_id(const py::handle& core) {
    sw_peer_id id;
    char out[SW_PEER_ID_TEXT_SIZE];
    check(sw_node_id(node_of(core), &id));
    check(sw_peer_id_text(&id, out));
    return out;
}

std::string make_network() {
    char out[SW_NETWORK_TEXT_SIZE];
    check(sw_network_generate(out));
    return out;
}

std::string network_of_passphrase(const std::string& passphrase) {
    char out[SW_NETWORK_TEXT_SIZE];
    sw_result result = SW_OK;
    {
        const py::gil_scoped_release waits;
        result = sw_network_from_passphrase(text(passphrase), out);
    }
    check(result);
    return out;
}

std::string make_ticket(const std::string& address, const std::string& id) {
    const sw_peer_id parsed = parse_id(id);
    char out[SW_ADDRESS_TEXT_SIZE];
    check(sw_ticket_make(text(address), &parsed, out));
    return out;
}

py::tuple split_ticket(const std::string& ticket) {
    char address[SW_ADDRESS_TEXT_SIZE];
    char id_text[SW_PEER_ID_TEXT_SIZE];
    sw_peer_id id;
    check(sw_ticket_split(text(ticket), address, &id));
    check(sw_peer_id_text(&id, id_text));
    return py::make_tuple(std::string(address), std::string(id_text));
}

}  // namespace

namespace {

PyObject* raise_made(sw_result result, const char* detail, PyObject* peer) {
    if (!make_call_error) return PyErr_SetString(PyExc_RuntimeError, sw_result_text(result)), nullptr;
    const Ref error(
        PyObject_CallFunction(make_call_error, "isO", static_cast<int>(result), detail, peer ? peer : Py_None));
    if (error) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.get())), error.get());
    return nullptr;
}

}  // namespace

PyObject* raise_result(sw_result result, PyObject* peer) { return raise_made(result, sw_error_detail(), peer); }
PyObject* raise_failure(sw_result result, const char* detail) { return raise_made(result, detail, nullptr); }

PyObject* raise_argument() {
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    const Ref a(type), b(value), c(trace);
    if (trace) PyException_SetTraceback(value, trace);
    const Ref error(make_argument_error ? PyObject_CallOneArg(make_argument_error, value)
                                        : Ref::borrow(value).release());
    if (error) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.get())), error.get());
    return nullptr;
}

}  // namespace binding

PYBIND11_MODULE(_native, module) {
    using namespace binding;
    if (!add_core_type(module.ptr()) || !add_peer_type(module.ptr()) || !add_message_type(module.ptr()) ||
        !add_draft_type(module.ptr()) || !add_topic_message_type(module.ptr())) {
        throw py::error_already_set();
    }
    py::class_<Identity>(module, "Identity")
        .def_static("generate", &Identity::generate)
        .def_static("from_seed", &Identity::from_seed)
        .def_static("load", &Identity::load)
        .def("save", &Identity::save)
        .def_property_readonly("seed", &Identity::seed)
        .def_property_readonly("id", &Identity::id);
    py::class_<Limits>(module, "Limits").def(py::init<>()).def("set", &Limits::set).def("counts", &Limits::counts);
    module.def("version", &sw_version);
    module.def("abi_version", &sw_abi_version);
    module.def("build_info", &sw_build_info);
    module.def("result_name", [](int result) { return sw_result_name(static_cast<sw_result>(result)); });
    module.def("result_text", [](int result) { return sw_result_text(static_cast<sw_result>(result)); });
    module.def("result_hint", [](int result) { return sw_result_hint(static_cast<sw_result>(result)); });
    module.def("set_error", [](const py::object& of_call, const py::object& of_argument) {
        make_call_error = py::object(of_call).release().ptr();
        make_argument_error = py::object(of_argument).release().ptr();
    });
    module.def("open", &open);
    module.def("listen", &listen_at);
    module.def("http_answer", &http_answer);
    module.def("listener_set_addresses", [](uint64_t listener, const py::list& allowed, const py::list& denied) {
        std::vector<std::string> kept_allow, kept_deny;
        const std::vector<sw_text> allow = texts_of(allowed, kept_allow);
        const std::vector<sw_text> deny = texts_of(denied, kept_deny);
        check(sw_listener_set_addresses({listener}, allow.data(), allow.size(), deny.data(), deny.size()));
    });
    module.def("listener_close", [](uint64_t listener) { check(sw_listener_close({listener})); });
    module.def("listener_set_tls", [](uint64_t listener, const py::dict& tls) {
        const TlsTexts texts(tls);
        check(sw_listener_set_tls({listener}, texts.get()));
    });
    module.def("connect", &binding::connect);
    module.def("connect_pipe", &connect_pipe);
    module.def("accept_pipe", &accept_pipe);
    module.def("pipe_end", [](uint64_t pipe) { check(sw_pipe_end({pipe})); });
    module.def("pipe_fail", [](uint64_t pipe, const std::string& why) { check(sw_pipe_fail({pipe}, text(why))); });
    module.def("shutdown", [](const py::handle& core, uint32_t deadline_ms) {
        check(sw_node_shutdown(node_of(core), deadline_ms));
    });
    module.def("unroute", [](const py::handle& core, const std::string& route) {
        check(sw_node_unroute(node_of(core), text(route)));
    });
    module.def("resume", [](const py::handle& core, const std::string& route, uint64_t messages) {
        check(sw_node_resume(node_of(core), text(route), messages));
    });
    module.def("set_allowed", [](const py::handle& core, const py::list& ids) {
        const std::vector<sw_peer_id> parsed = parse_ids(ids);
        check(sw_node_set_allowed(node_of(core), parsed.data(), parsed.size()));
    });
    module.def("node_id", &node_id);
    module.def("network_generate", &make_network);
    module.def("network_from_passphrase", &network_of_passphrase);
    module.def("network_check", [](const std::string& network) { check(sw_network_check(text(network))); });
    module.def("peer_id_check", [](const std::string& id) { parse_id(id); });
    module.def("ticket_make", &make_ticket);
    module.def("ticket_split", &split_ticket);
    module.def("close_all", &close_all);
}

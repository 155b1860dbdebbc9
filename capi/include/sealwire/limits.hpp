// Limits at the door for sealwire.hpp: how many connections may come in, counted together over the nodes and listeners that are given it.
#ifndef SEALWIRE_LIMITS_HPP
#define SEALWIRE_LIMITS_HPP

#include <memory>
#include <string_view>
#include <vector>

#include "basics.hpp"

namespace sealwire {

// Goes into node_options::limits.connection_limits or sw_listen_options::connection_limits, which keep their own reference.
class connection_limits {
public:
    // Numbers of sw_limits_options; 0: no limit.
    explicit connection_limits(uint32_t connections = 0, uint32_t per_key = 0, uint32_t per_address = 0,
                               uint32_t per_subnet = 0)
        : limits_(nullptr, sw_limits_free) {
        sw_limits* made = nullptr;
        check(sw_limits_create(nullptr, &made));
        limits_.reset(made);
        set(connections, per_key, per_address, per_subnet);
    }
    // From now on; connections that are there stay.
    void set(uint32_t connections, uint32_t per_key = 0, uint32_t per_address = 0, uint32_t per_subnet = 0) {
        sw_limits_options options;
        sw_limits_options_init(&options);
        options.max_connections = connections;
        options.max_per_key = per_key;
        options.max_per_address = per_address;
        options.max_per_subnet = per_subnet;
        check(sw_limits_set(limits_.get(), &options));
    }
    sw_limits_counts counts() const {
        sw_limits_counts out{};
        out.size = sizeof out;
        check(sw_limits_get_counts(limits_.get(), &out));
        return out;
    }
    sw_limits* raw() const { return limits_.get(); }

private:
    std::unique_ptr<sw_limits, void (*)(sw_limits*)> limits_;
};

// For sw_listen_options and sw_listener_set_addresses: views of what the caller holds.
inline std::vector<sw_text> texts_of(const std::vector<std::string_view>& texts) {
    std::vector<sw_text> out;
    for (const std::string_view text : texts) out.push_back(text_of(text));
    return out;
}

}  // namespace sealwire

#endif

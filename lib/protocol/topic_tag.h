// The tag that stands for a topic on the wire: the same for all who know its name and the network, a number to everybody else.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "crypto/secret.h"
#include "protocol/limits.h"

namespace sealwire {

using TopicTag = std::array<uint8_t, kTopicTagSize>;

// A publisher of one topic: when it began in ms since 1970 (8), and 8 bytes that tell it from others.
using TopicOrigin = std::array<uint8_t, kOriginSize>;

// What one hub asks all others, by a random mark.
using TopicWave = std::array<uint8_t, kWaveSize>;

// `secret`: the network's psk. Who has it can try names; to others equal topics are equal tags, and no more.
TopicTag topic_tag(const Secret<32>& secret, std::string_view name);

}  // namespace sealwire

// Randomness for tests: from a seed, so that a run repeats, or scripted byte for byte.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "base/random.h"

namespace sealwire::test {

// splitmix64: repeatable and fast, of no cryptographic worth.
class SeededRng final : public Rng {
public:
    explicit SeededRng(uint64_t seed) : state_(seed) {}

    uint64_t next() {
        uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    // Below `limit`, which is not 0.
    uint64_t below(uint64_t limit) { return next() % limit; }
    void fill(MutableBytes out) override {
        for (size_t i = 0; i < out.size();) {
            const uint64_t word = next();
            for (unsigned j = 0; j < 8 && i < out.size(); ++j) out[i++] = static_cast<uint8_t>(word >> (8 * j));
        }
    }

private:
    uint64_t state_;
};

// Hands out exactly the given bytes, in order.
class ScriptedRng final : public Rng {
public:
    ScriptedRng& then(Bytes bytes) {
        script_.insert(script_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    void fill(MutableBytes out) override {
        if (out.size() > script_.size() - at_) throw std::runtime_error("the script of randomness has run out");
        copy_bytes(out.data(), Bytes(script_).subspan(at_, out.size()));
        at_ += out.size();
    }
    bool used_up() const { return at_ == script_.size(); }

private:
    std::vector<uint8_t> script_;
    size_t at_ = 0;
};

}  // namespace sealwire::test

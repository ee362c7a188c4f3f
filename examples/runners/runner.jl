# The vectors of LRP against one implementation, in plain Julia: julia runner.jl FOLDER  (the one with v1 in it)
# NOT RUN: written by its manual, where no Julia was at hand; its siblings in Python, C++, R and JavaScript are run.
const TOLERANCE = 1e-9   # of a case's largest number: a first look; `lrp-ref conform` judges by derived bounds
struct Unsupported <: Exception end   # your implementation has no such rule or layer

# PUT YOUR OWN HERE: R_0, shaped like x. Here: one Linear layer under Epsilon, Flat or WSquare.
function relevance(net, x, R)
    layer, rule = net[1], net[1]["rule"]["name"]
    if length(net) > 1 || layer["op"] != "Linear" || !(rule in ("Epsilon", "Flat", "WSquare")) || ndims(x) > 2
        throw(Unsupported())
    end
    weight, epsilon = numbers(layer["weight"]), number(get(layer["rule"], "epsilon", "0"))
    I, J = size(weight)
    bias = layer["bias"] === nothing ? zeros(J) : numbers(layer["bias"])
    fits = ndims(x) == 2 && ndims(R) == 2 && size(x, 1) == size(R, 1) && size(x, 2) == I && size(R, 2) == J
    fits || error("x or R does not fit the weights")
    (all(isfinite, x) && all(isfinite, R) && epsilon >= 0) || error("needed finite numbers, and an epsilon of at least 0")
    out = zeros(size(x))
    for n in axes(x, 1), j in 1:J
        w = weight[:, j]
        z = rule == "Epsilon" ? x[n, :] .* w : rule == "Flat" ? ones(I) : w .* w
        total = sum(z) + (rule == "Epsilon" ? bias[j] : 0.0)
        total += total >= 0 ? epsilon : -epsilon
        total == 0 || (out[n, :] .+= z ./ total .* R[n, j])
    end
    return out
end

function number(text)   # "3", "-17/90", "0x1.8p+3", "inf", "nan"
    parts = split(text, '/')
    return parse(Float64, parts[1]) / (length(parts) > 1 ? parse(Float64, parts[2]) : 1.0)
end
shape(nested) = nested isa Vector ? (length(nested), shape(nested[1])...) : ()
flat(nested) = nested isa Vector ? reduce(vcat, map(flat, nested)) : [number(nested)]
numbers(nested) = (s = shape(nested); permutedims(reshape(flat(nested), reverse(s)), length(s):-1:1))   # C's order

function json(io)   # Julia comes without JSON; every number that matters is a text
    skip() = while !eof(io) && peek(io, Char) in (' ', '\n', '\r', '\t', ',', ':') read(io, Char) end
    skip(); c = read(io, Char)
    if c == '"'
        text = IOBuffer()
        while (c = read(io, Char)) != '"'
            print(text, c == '\\' ? read(io, Char) : c)
        end
        return String(take!(text))
    elseif c in ('[', '{')
        found = c == '[' ? Any[] : Dict{String,Any}()
        while (skip(); !(peek(io, Char) in (']', '}')))
            c == '[' ? push!(found, json(io)) : (name = json(io); found[name] = json(io))
        end
        read(io, Char); return found
    end
    word = string(c)
    while !eof(io) && !(peek(io, Char) in (',', ']', '}', ' ', '\n')) word *= read(io, Char) end
    return word == "null" ? nothing : word
end

function status(case)
    level, got = case["level"], nothing
    try
        got = relevance(case["net"], numbers(case["x"]), numbers(case["R"]))
    catch error
        return error isa Unsupported ? "unsupported" : level == "negative" ? "passed" : "failed"
    end
    level in ("negative", "stress") && return level == "stress" ? "not judged" : "failed"   # edges need their own bounds
    want = numbers(case["expect"]["f64"])
    near = size(got) == size(want) && all(abs.(got .- want) .<= TOLERANCE * maximum(abs, want))
    return near ? "passed" : "failed"
end

folder = joinpath(ARGS[1], "v1"); manifest = open(json, joinpath(folder, "manifest.json"))
cases = reduce(vcat, [open(json, joinpath(folder, path))["cases"] for path in keys(manifest["files"])])
string(length(cases)) == manifest["count"] || error("fewer cases than the manifest promises")
found = map(status, cases)
for (case, what) in zip(cases, found)
    what == "failed" && println("failed ", case["id"])
end
words = ("passed", "failed", "unsupported", "not judged")
println(join(["$(count(==(word), found)) $word" for word in words], ", "), ", of ", length(cases))
exit("failed" in found ? 1 : 0)

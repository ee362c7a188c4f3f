// The vectors of LRP against one implementation, in plain C++17: g++ -std=c++17 runner.cpp -o runner && ./runner FOLDER
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>
using std::map; using std::string; using std::vector;
const double TOLERANCE = 1e-9;   // of a case's largest number: a first look; `lrp-ref conform` judges by derived bounds
struct Unsupported {};           // thrown where your implementation has no such rule or layer
struct Json { string text; vector<Json> list; map<string, Json> at; };   // what is no list and no object is its text

struct Array {   // numbers in C's order
  vector<size_t> shape; vector<double> v;
  double operator()(size_t r, size_t c) const { return v[r * shape[1] + c]; }
};
double number(const string& t) {   // "3", "-17/90", "0x1.8p+3", "inf", "nan"
  size_t slash = t.find('/');
  return std::strtod(t.c_str(), nullptr) / (slash == string::npos ? 1 : std::strtod(t.c_str() + slash + 1, nullptr));
}
void fill(const Json& j, Array& a, size_t axis) {
  if (j.list.empty()) { a.v.push_back(number(j.text)); return; }
  if (a.shape.size() == axis) a.shape.push_back(j.list.size());
  for (const Json& part : j.list) fill(part, a, axis + 1);
}
Array numbers(const Json& j) { Array a; fill(j, a, 0); return a; }

// PUT YOUR OWN HERE: R_0, in x's order. Here: one Linear layer under Epsilon, Flat or WSquare.
vector<double> relevance(const vector<Json>& net, const Array& x, const Array& R) {
  const Json& layer = net[0]; const Json& given = layer.at.at("rule"); const string& rule = given.at.at("name").text;
  bool known = rule == "Epsilon" || rule == "Flat" || rule == "WSquare";
  if (net.size() > 1 || layer.at.at("op").text != "Linear" || !known || x.shape.size() > 2) throw Unsupported();
  Array w = numbers(layer.at.at("weight")), b = numbers(layer.at.at("bias"));
  double epsilon = given.at.count("epsilon") ? number(given.at.at("epsilon").text) : 0;
  size_t I = w.shape[0], J = w.shape[1];
  if (x.shape.size() != 2 || R.shape.size() != 2 || x.shape[0] != R.shape[0] || x.shape[1] != I || R.shape[1] != J)
    throw std::invalid_argument("x or R does not fit the weights");
  auto finite = [](double n) { return std::isfinite(n); };
  if (!std::all_of(x.v.begin(), x.v.end(), finite) || !std::all_of(R.v.begin(), R.v.end(), finite) || !(epsilon >= 0))
    throw std::invalid_argument("needed finite numbers, and an epsilon of at least 0");
  vector<double> out(x.v.size()), z(I);
  for (size_t n = 0; n < x.shape[0]; n++) for (size_t j = 0; j < J; j++) {
    double total = rule == "Epsilon" && !b.shape.empty() ? b.v[j] : 0;
    for (size_t i = 0; i < I; i++)
      total += z[i] = rule == "Epsilon" ? x(n, i) * w(i, j) : rule == "Flat" ? 1 : w(i, j) * w(i, j);
    total += total >= 0 ? epsilon : -epsilon;
    for (size_t i = 0; i < I && total != 0; i++) out[n * I + i] += z[i] / total * R(n, j);
  }
  return out;
}

Json parse(std::istream& in) {
  Json j; char c; in >> c;
  if (c == '"') { while (in.get(c) && c != '"') { if (c == '\\') in.get(c); j.text += c; } return j; }
  if (c == '[' || c == '{') {
    char close = c == '[' ? ']' : '}';
    while (in >> std::ws && in.peek() != close) {
      if (in.peek() == ',') in.get();
      if (c == '[') { j.list.push_back(parse(in)); continue; }
      string name = parse(in).text; in >> std::ws; in.get();   // the colon
      j.at[name] = parse(in);
    }
    in.get(); return j;
  }
  for (in.putback(c); in && !std::strchr(",]} \n", in.peek()); ) j.text += char(in.get());
  return j;
}
Json read(const string& path) {
  std::ifstream in(path); if (!in) throw std::runtime_error("there is no " + path);
  return parse(in);
}

string status(const Json& c) {
  const string& level = c.at.at("level").text; vector<double> got;
  try { got = relevance(c.at.at("net").list, numbers(c.at.at("x")), numbers(c.at.at("R"))); }
  catch (Unsupported) { return "unsupported"; }
  catch (const std::exception&) { return level == "negative" ? "passed" : "failed"; }
  if (level == "negative") return "failed";
  if (level == "stress") return "not judged";   // numbers at the edges of the format need their own bounds
  vector<double> want = numbers(c.at.at("expect").at.at("f64")).v;
  double largest = 0; bool near = got.size() == want.size();
  for (double n : want) largest = std::max(largest, std::fabs(n));
  for (size_t n = 0; near && n < want.size(); n++) near = std::fabs(got[n] - want[n]) <= TOLERANCE * largest;
  return near ? "passed" : "failed";
}

int main(int, char** argv) {
  string folder = string(argv[1]) + "/v1/"; Json manifest = read(folder + "manifest.json");
  map<string, int> found; size_t count = 0;
  for (const auto& [path, promised] : manifest.at["files"].at) {
    Json file = read(folder + path);
    for (const Json& c : file.at["cases"].list) {
      string what = status(c); found[what]++; count++;
      if (what == "failed") std::cout << "failed " << c.at.at("id").text << "\n";
    }
  }
  if (std::to_string(count) != manifest.at["count"].text) throw std::runtime_error("fewer cases than promised");
  for (string word : {"passed", "failed", "unsupported", "not judged"}) std::cout << found[word] << " " << word << ", ";
  std::cout << "of " << count << "\n";
  return found["failed"] > 0;
}

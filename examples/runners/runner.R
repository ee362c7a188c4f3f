# The vectors of LRP against one implementation, in base R: Rscript runner.R FOLDER  (the one with v1 in it)
TOLERANCE <- 1e-9   # of a case's largest number: a first look; `lrp-ref conform` judges by derived bounds
unsupported <- function() stop(structure(class = c("unsupported", "error", "condition"), list(message = "unsupported")))

# PUT YOUR OWN HERE: R_0, shaped like x. Here: one Linear layer under Epsilon, Flat or WSquare.
relevance <- function(net, x, R) {
  layer <- net[[1]]; rule <- layer$rule$name
  if (length(net) > 1 || layer$op != "Linear" || !(rule %in% c("Epsilon", "Flat", "WSquare")) || length(dim(x)) > 2)
    unsupported()
  weight <- numbers(layer$weight)
  epsilon <- if (is.null(layer$rule$epsilon)) 0 else number(layer$rule$epsilon)
  bias <- if (is.null(layer$bias)) rep(0, ncol(weight)) else numbers(layer$bias)
  if (!is.matrix(x) || !is.matrix(R) || nrow(x) != nrow(R) || ncol(x) != nrow(weight) || ncol(R) != ncol(weight))
    stop("x or R does not fit the weights")
  if (!all(is.finite(c(epsilon, x, R))) || epsilon < 0) stop("needed finite numbers, and an epsilon of at least 0")
  out <- 0 * x
  for (n in seq_len(nrow(x))) for (j in seq_len(ncol(weight))) {
    w <- weight[, j]
    z <- switch(rule, Epsilon = x[n, ] * w, Flat = rep(1, length(w)), WSquare = w * w)
    total <- sum(z) + if (rule == "Epsilon") bias[j] else 0
    total <- total + if (total >= 0) epsilon else -epsilon
    if (total != 0) out[n, ] <- out[n, ] + z / total * R[n, j]
  }
  out
}

number <- function(text) {   # "3", "-17/90", "0x1.8p+3", "inf", "nan"
  parts <- strsplit(text, "/")[[1]]
  as.numeric(parts[1]) / if (length(parts) > 1) as.numeric(parts[2]) else 1
}
numbers <- function(nested) {   # nested lists of texts as an array; a list of one length a vector
  shape <- c(); part <- nested
  while (is.list(part)) { shape <- c(shape, length(part)); part <- part[[1]] }
  flat <- vapply(unlist(nested), number, 0, USE.NAMES = FALSE)
  if (length(shape) < 2) flat else aperm(array(flat, rev(shape)))
}

# JSON as R's own syntax, token by token: base R reads none. Only texts, numbers, brackets and three words become code.
json <- function(path) {
  text <- paste(readLines(path, encoding = "UTF-8", warn = FALSE), collapse = "\n")
  pattern <- '"(?:[^"\\\\]|\\\\.)*"|[][{}:,]|-?[0-9][0-9.eE+-]*|true|false|null'
  token <- regmatches(text, gregexpr(pattern, text, perl = TRUE))[[1]]
  as_r <- c("{" = "list(", "[" = "list(", "}" = ")", "]" = ")", ":" = "=", true = "TRUE", false = "FALSE", null = "NULL")
  special <- token %in% names(as_r); token[special] <- as_r[token[special]]
  eval(parse(text = paste(gsub("\\\\/", "/", token), collapse = " "), keep.source = FALSE), baseenv())
}

status <- function(case) {
  got <- tryCatch(relevance(case$net, numbers(case$x), numbers(case$R)), unsupported = function(e) "unsupported",
                  error = function(e) if (case$level == "negative") "passed" else "failed")
  if (is.character(got)) return(got)
  if (case$level %in% c("negative", "stress"))   # numbers at the edges of the format need their own bounds
    return(if (case$level == "negative") "failed" else "not judged")
  want <- numbers(case$expect$f64)
  if (length(got) == length(want) && all(abs(got - want) <= TOLERANCE * max(abs(want)))) "passed" else "failed"
}

folder <- file.path(commandArgs(TRUE)[1], "v1"); manifest <- json(file.path(folder, "manifest.json"))
cases <- do.call(c, lapply(names(manifest$files), function(path) json(file.path(folder, path))$cases))
stopifnot("fewer cases than the manifest promises" = length(cases) == manifest$count)
found <- vapply(cases, status, "")
for (case in cases[found == "failed"]) cat("failed", case$id, "\n")
words <- c("passed", "failed", "unsupported", "not judged")
counts <- paste(vapply(words, function(word) sum(found == word), 0), words)
cat(paste(counts, collapse = ", "), ", of ", length(cases), "\n", sep = "")
quit(status = any(found == "failed"))

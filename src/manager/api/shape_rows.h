/* How rows of shapes are written (shapes_*.c). For those files alone: the words are short. */
#ifndef MUSTER_MANAGER_API_SHAPE_ROWS_H
#define MUSTER_MANAGER_API_SHAPE_ROWS_H

#include "manager/api/page.h"
#include "manager/api/shapes.h"

/* clang-format off */
/* An object: its symbol, its name in the document, a sentence about it, its members. */
#define SHAPE(symbol, name_, help_, ...)                                                                     \
	static const struct shape_field symbol##_fields[] = { __VA_ARGS__ };                                  \
	const struct shape symbol = { name_, help_, symbol##_fields, COUNT_OF(symbol##_fields), false }
/* One without members. */
#define EMPTY(symbol, name_, help_) const struct shape symbol = { name_, help_, NULL, 0, false }
/* A page of such entries. */
#define LIST(symbol, name_, entry)                                                                           \
	SHAPE(symbol, name_, "One page of a list.",                                                           \
		{ "items", SHAPE_OBJECTS, SHAPE_REQUIRED, .of = &entry, .help = "The entries of this page." },  \
		{ "next", SHAPE_TEXT, SHAPE_REQUIRED | SHAPE_NULLABLE,                                          \
		  .help = "Give it as `cursor` for the next page; null: this was the last one." })

#define REQUIRED SHAPE_REQUIRED
#define NULLABLE (SHAPE_REQUIRED | SHAPE_NULLABLE)
#define NOTHING_OR_MORE 0, INT64_MAX

/* What a query for a page has besides its filters. */
#define PAGING                                                                                               \
	{ "limit", SHAPE_NUMBER, 0, 1, 1000, .help = "Entries of a page; 100 if not given." },                \
	{ "cursor", SHAPE_CURSOR, 0, 1, PAGE_TEXT_BYTES, .help = "`next` of the page before." }
/* clang-format on */

#endif

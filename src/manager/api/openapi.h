/* The OpenAPI 3 document, made of the tables of routes and shapes. Pure. */
#ifndef MUSTER_MANAGER_API_OPENAPI_H
#define MUSTER_MANAGER_API_OPENAPI_H

/* The whole document, indented, ending in a newline; the caller's to free. NULL: no memory. */
char *openapi_document(void);

#endif

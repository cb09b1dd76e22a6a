// Everything is asked for here, at this edge: nothing is loaded from elsewhere, and requests that
// are tried are real ones.
"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
});

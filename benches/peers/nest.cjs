// A peer: the usual NestJS controller with createReadStream and a range header.
// Environment: FILE, PORT, and NODE_PATH to a folder with @nestjs/core, @nestjs/common, @nestjs/platform-express, reflect-metadata, rxjs.
require("reflect-metadata");
const { NestFactory } = require("@nestjs/core");
const { Controller, Get, Headers, Module, Res } = require("@nestjs/common");
const fs = require("node:fs");

class FileController {
  stream(range, response) {
    const size = fs.statSync(process.env.FILE).size;
    if (!range) {
      response.writeHead(200, { "Content-Length": size, "Content-Type": "video/mp4" });
      return fs.createReadStream(process.env.FILE).pipe(response);
    }
    const [from, to] = range.replace(/bytes=/, "").split("-");
    const start = Number.parseInt(from, 10);
    const end = to ? Number.parseInt(to, 10) : size - 1;
    response.writeHead(206, {
      "Content-Range": `bytes ${start}-${end}/${size}`,
      "Accept-Ranges": "bytes",
      "Content-Length": end - start + 1,
      "Content-Type": "video/mp4",
    });
    return fs.createReadStream(process.env.FILE, { start, end }).pipe(response);
  }
}
Headers("range")(FileController.prototype, "stream", 0);
Res()(FileController.prototype, "stream", 1);
Get("file")(FileController.prototype, "stream", Object.getOwnPropertyDescriptor(FileController.prototype, "stream"));
Controller()(FileController);
class App {}
Module({ controllers: [FileController] })(App);
NestFactory.create(App, { logger: false }).then((app) => app.listen(Number(process.env.PORT), "127.0.0.1"));

// As much of the engine's gateway as a client needs: it hands over what the client sends, and sends what it is told to.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

export async function openGateway() {
  const gateway = { onRequest: null, onMessage: null, socket: null };
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { status = 200, type = "application/octet-stream", body } = await gateway.onRequest(Buffer.concat(parts));
    response.writeHead(status, { "content-type": type }).end(body);
  });
  const sockets = new WebSocketServer({ server, handleProtocols: () => "rivet" });
  sockets.on("connection", (socket) => {
    gateway.socket = socket;
    socket.send(gateway.init, { binary: !gateway.isText });
    socket.on("message", (data) => gateway.onMessage(data));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  gateway.endpoint = `http://127.0.0.1:${server.address().port}`;
  return gateway;
}

using Microsoft.AspNetCore.SignalR;
using StackExchange.Redis;

var builder = WebApplication.CreateBuilder(args);

// `ConnectionStrings__Redis`, which the stack sets: host, user, password and TLS in one.
var redis = builder.Configuration.GetConnectionString("Redis")
    ?? throw new InvalidOperationException("ConnectionStrings__Redis must be set, got: nothing");

builder.Services.AddSignalR().AddStackExchangeRedis(redis, options =>
    // The user of this service may use channels of this prefix alone.
    options.Configuration.ChannelPrefix = RedisChannel.Literal("hub:"));
builder.Services.AddHealthChecks();

var app = builder.Build();
app.MapHealthChecks("/healthz");
app.MapHub<ChatHub>("/hub");
app.Run();

internal sealed class ChatHub : Hub
{
    public Task Send(string text) => Clients.All.SendAsync("message", text);
}
